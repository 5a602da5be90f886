import Foundation

/// `Documents/inbox`: the job root that the harness fills over the cable.
enum Inbox {
    static var root: URL { URL.documentsDirectory.appending(path: "inbox", directoryHint: .isDirectory) }

    static func jobFolder(_ jobID: String) -> URL { root.appending(path: "jobs/\(jobID)", directoryHint: .isDirectory) }

    /// What a result is: the job, its log and its outputs, as far as they are there.
    static func resultFiles(of jobID: String) -> [URL] {
        ["job.json", "events.jsonl", "outputs.bin"]
            .map { jobFolder(jobID).appending(path: $0) }
            .filter { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// The live variants, the newest file first.
    static func liveFiles() -> [URL] {
        let folder = root.appending(path: "live", directoryHint: .isDirectory)
        let key = URLResourceKey.contentModificationDateKey
        let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [key])
        func date(_ url: URL) -> Date {
            (try? url.resourceValues(forKeys: [key]).contentModificationDate) ?? .distantPast
        }
        return (files ?? []).filter { $0.pathExtension == "json" }.sorted { date($0) > date($1) }
    }
}

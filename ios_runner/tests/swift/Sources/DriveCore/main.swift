// The calls that the app makes, as the app makes them, without a runtime: what they answer is known.
import Foundation
import HarnessCore

func check(_ holds: Bool, _ what: String) {
    guard !holds else { return }
    FileHandle.standardError.write(Data("DriveCore: \(what)\n".utf8))
    exit(1)
}

check(harness_runner_wire_version() == 1, "the wire version")
guard let runner = harness_runner_create("/nowhere/libLiteRt.so") else { fatalError("no handle") }
defer { harness_runner_destroy(runner) }

let root = FileManager.default.temporaryDirectory.appendingPathComponent("drive-core-\(UUID().uuidString)")
try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(at: root) }

guard let listed = harness_runner_list_jobs(runner, root.path) else { fatalError("no list") }
check(String(cString: listed) == "{\"jobs\":[]}", "an empty inbox")
harness_runner_free_text(listed)

check(harness_runner_run(runner, root.path) == HARNESS_RUNNER_UNUSABLE, "a folder that is no job")
check(String(cString: harness_runner_last_error(runner)).contains("not a job folder"), "and why")
check(harness_runner_delete_job(runner, root.path, "../x") == 0, "an id that is none")
check(harness_live_open(runner, root.appendingPathComponent("none.json").path) == nil, "a variant that is not there")
harness_runner_note_interruption(runner, HARNESS_RUNNER_BACKGROUND)
print("DriveCore: the core answers Swift on \(String(cString: harness_runner_platform()))")

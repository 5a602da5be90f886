import Foundation

/// Where LiteRT is in the app's bundle.
enum RuntimeLibrary {
    private static var frameworks: URL? { Bundle.main.privateFrameworksURL }

    /// Of the library; a path that leads nowhere makes the core say so in the job's log.
    static var path: String {
        frameworks?.appending(path: "LiteRt.framework/LiteRt").path ?? "LiteRt.framework/LiteRt"
    }

    /// LiteRT's release, which the library itself cannot tell: the build writes it into Info.plist.
    static var version: String {
        Bundle.main.object(forInfoDictionaryKey: "HarnessRuntimeVersion") as? String ?? "unknown"
    }

    /// The folder of Metal's accelerator, where the app was built with it.
    static var acceleratorFolder: String? {
        guard let folder = frameworks?.appending(path: "LiteRtMetalAccelerator.framework"),
            FileManager.default.fileExists(atPath: folder.path)
        else { return nil }
        return folder.path
    }
}

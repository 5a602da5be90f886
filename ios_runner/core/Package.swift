// swift-tools-version: 5.9
// The portable core for Xcode; CMakeLists.txt beside it builds the same sources for the desktop.
import PackageDescription

#if os(Linux)
    let otherPlatform = "darwin"
#else
    let otherPlatform = "linux"
#endif
let platformSources = ["cpu_usage", "device_info", "memory_probe", "thread_quality"].map { "src/\($0)_\(otherPlatform).cc" }
let linuxOnly = otherPlatform == "linux" ? ["src/proc_text_linux.cc"] : []
// The desktop executable's own.
let executableSources = ["src/conditions_file.cc", "src/live_command.cc", "src/main.cc"]

let package = Package(
    name: "HarnessCore",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "HarnessCore", targets: ["HarnessCore"])],
    targets: [
        .target(
            name: "HarnessCore",
            path: ".",
            exclude: ["CMakeLists.txt", "tests"] + platformSources + linuxOnly + executableSources,
            sources: ["src"],
            publicHeadersPath: "include",
            cxxSettings: [
                .headerSearchPath("src"),
                .define("HARNESS_VERSION", to: "\"0.1.0\""),
                .define("HARNESS_BUILD", to: "\"Swift package\""),
                // An input's real value is one subtraction and one division on every machine.
                .unsafeFlags(["-ffp-contract=off"]),
            ],
            linkerSettings: [.linkedLibrary(otherPlatform == "linux" ? "c++" : "stdc++")])
    ],
    cxxLanguageStandard: .cxx17
)

// swift-tools-version: 5.9
// Drives the core from Swift, on Linux too: ios_runner/scripts/swift_check.sh runs it where a toolchain is.
import PackageDescription

let package = Package(
    name: "DriveCore",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "HarnessCore", path: "../../core")],
    targets: [
        .executableTarget(name: "DriveCore", dependencies: [.product(name: "HarnessCore", package: "HarnessCore")])
    ]
)

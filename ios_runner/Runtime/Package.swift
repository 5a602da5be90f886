// swift-tools-version: 5.9
// LiteRT for iOS: `make -C ios_runner runtime` puts LiteRt.xcframework here.
import PackageDescription

let package = Package(
    name: "LiteRtRuntime",
    platforms: [.iOS(.v17)],
    products: [.library(name: "LiteRtRuntime", targets: ["LiteRt"])],
    targets: [.binaryTarget(name: "LiteRt", path: "LiteRt.xcframework")]
)

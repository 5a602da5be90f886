@_exported import CoreVideo
@_exported import FoundationOnApple
@_exported import QuartzCore

public struct AVMediaType: Sendable {
    public static let video = AVMediaType()
}

// Only the cases that the app names.
public enum AVAuthorizationStatus: Int, Sendable { case notDetermined, authorized }

open class AVCaptureDevice: NSObject, @unchecked Sendable {
    public enum Position: Int, Sendable { case back = 1, front }
    public enum TorchMode: Int, Sendable { case off, on }

    public struct DeviceType: Sendable {
        public static let builtInWideAngleCamera = DeviceType()
    }

    open class RotationCoordinator: NSObject {
        public init(device: AVCaptureDevice, previewLayer: CALayer?) {}
        weak open var device: AVCaptureDevice?
        open var videoRotationAngleForHorizonLevelPreview: CGFloat { 0 }
        open var videoRotationAngleForHorizonLevelCapture: CGFloat { 0 }
    }

    open class func authorizationStatus(for mediaType: AVMediaType) -> AVAuthorizationStatus { .notDetermined }
    open class func requestAccess(for mediaType: AVMediaType) async -> Bool { false }
    open class func `default`(
        _ deviceType: DeviceType, for mediaType: AVMediaType?, position: Position
    ) -> AVCaptureDevice? { nil }

    open var hasTorch: Bool { false }
    open var torchMode = TorchMode.off
    open func lockForConfiguration() throws {}
    open func unlockForConfiguration() {}
}

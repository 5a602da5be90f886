import AVFoundation

/// The capture session: one camera, upright BGRA frames, the torch. Its calls run on its own queue, since starting and
/// changing a session blocks.
final class CameraSession: NSObject, @unchecked Sendable {
    let capture = AVCaptureSession()

    private let queue = DispatchQueue(label: "org.harness.runner.camera")
    private let output = AVCaptureVideoDataOutput()
    private var input: AVCaptureDeviceInput?
    private var rotation: AVCaptureDevice.RotationCoordinator?
    private var onFrame: (@Sendable (CameraFrame) -> Void)?

    /// Asks for permission where it was not asked for before.
    static func mayCapture() async -> Bool {
        switch AVCaptureDevice.authorizationStatus(for: .video) {
        case .authorized: return true
        case .notDetermined: return await AVCaptureDevice.requestAccess(for: .video)
        default: return false
        }
    }

    /// `onFrame` is called on the camera's queue, and must not take longer than a frame.
    func start(position: AVCaptureDevice.Position, onFrame: @escaping @Sendable (CameraFrame) -> Void) async throws {
        try await onQueue { [self] in
            self.onFrame = onFrame
            try configure(position: position)
            if !capture.isRunning { capture.startRunning() }
        }
    }

    func stop() async {
        try? await onQueue { [self] in
            onFrame = nil
            if capture.isRunning { capture.stopRunning() }
        }
    }

    func hasTorch() async -> Bool {
        (try? await onQueue { [self] in input?.device.hasTorch ?? false }) ?? false
    }

    func setTorch(on: Bool) async throws {
        try await onQueue { [self] in
            guard let device = input?.device, device.hasTorch else { return }
            try device.lockForConfiguration()
            defer { device.unlockForConfiguration() }
            device.torchMode = on ? .on : .off
        }
    }

    private func onQueue<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }

    private func configure(position: AVCaptureDevice.Position) throws {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: position) else {
            throw CoreError(message: "this device has no \(position == .front ? "front" : "back") camera")
        }
        let added = try AVCaptureDeviceInput(device: device)
        capture.beginConfiguration()
        defer { capture.commitConfiguration() }
        // Models take a few hundred pixels a side: a larger frame would only take longer to shrink.
        if capture.canSetSessionPreset(.vga640x480) { capture.sessionPreset = .vga640x480 }
        if let input { capture.removeInput(input) }
        guard capture.canAddInput(added) else { throw CoreError(message: "the camera cannot be used") }
        capture.addInput(added)
        input = added
        if !capture.outputs.contains(output) {
            output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
            output.alwaysDiscardsLateVideoFrames = true
            output.setSampleBufferDelegate(self, queue: queue)
            guard capture.canAddOutput(output) else { throw CoreError(message: "the camera gives no frames") }
            capture.addOutput(output)
        }
        rotation = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: nil)
    }

    /// Frames turn with the phone, so that what is up in the world is up for the model.
    private func keepUpright(_ connection: AVCaptureConnection) {
        guard let angle = rotation?.videoRotationAngleForHorizonLevelCapture,
            connection.videoRotationAngle != angle, connection.isVideoRotationAngleSupported(angle)
        else { return }
        connection.videoRotationAngle = angle
    }
}

extension CameraSession: AVCaptureVideoDataOutputSampleBufferDelegate {
    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        keepUpright(connection)
        guard let buffer = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
        onFrame?(CameraFrame(buffer: buffer))
    }
}

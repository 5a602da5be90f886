import AVFoundation
import SwiftUI

/// The live picture; it turns with the phone as the model's frames do.
struct CameraPreview: UIViewRepresentable {
    let capture: AVCaptureSession

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.previewLayer.session = capture
        view.previewLayer.videoGravity = .resizeAspectFill
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) { view.follow() }
}

final class PreviewView: UIView {
    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

    private var coordinator: AVCaptureDevice.RotationCoordinator?
    private var observation: NSKeyValueObservation?

    var previewLayer: AVCaptureVideoPreviewLayer {
        guard let preview = layer as? AVCaptureVideoPreviewLayer else { preconditionFailure("see layerClass") }
        return preview
    }

    /// Follows the turning of the camera that the layer shows now.
    func follow() {
        let input = previewLayer.session?.inputs.first as? AVCaptureDeviceInput
        guard let device = input?.device, coordinator?.device !== device else { return }
        let made = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: previewLayer)
        coordinator = made
        observation = made.observe(\.videoRotationAngleForHorizonLevelPreview, options: [.initial, .new]) {
            [weak self] coordinator, _ in
            let angle = coordinator.videoRotationAngleForHorizonLevelPreview
            DispatchQueue.main.async { [weak self] in self?.previewLayer.connection?.videoRotationAngle = angle }
        }
    }
}

import AVFoundation
import SwiftUI
import UIKit

struct CameraScreen: View {
    var body: some View {
        LiveVariantGate(isImageTask: true) { LiveCamera(model: $0) }
    }
}

private struct LiveCamera: View {
    @State private var camera = CameraModel()
    @Environment(\.scenePhase) private var scenePhase
    let model: LiveModel

    var body: some View {
        Group {
            switch camera.state {
            case .refused: CameraRefused()
            case .failed(let problem):
                ContentUnavailableView("The camera stopped", systemImage: "video.slash", description: Text(problem))
            case .starting, .running: picture
            }
        }
        .task(id: scenePhase) {
            // Coming back from Settings the permission may be another.
            if scenePhase == .active { await camera.start(with: model) }
        }
        .onDisappear { Task { await camera.stop() } }
    }

    private var picture: some View {
        ZStack(alignment: .bottom) {
            CameraPreview(capture: camera.session.capture)
                .ignoresSafeArea(edges: .top)
                .id(camera.position)
            VStack(alignment: .leading, spacing: 12) {
                HStack(alignment: .top) {
                    LiveVariantHeader(description: model.description)
                    Spacer()
                    SpeedText(latencyNs: camera.shown?.latencyNs, framesPerSecond: camera.framesPerSecond)
                }
                LabelList(labels: camera.shown?.labels ?? [])
                controls
            }
            .padding()
            .background(.ultraThinMaterial, in: RoundedRectangle(cornerRadius: 16))
            .padding()
        }
    }

    private var controls: some View {
        HStack {
            Button(
                camera.isFrozen ? "Resume" : "Freeze", systemImage: camera.isFrozen ? "play.fill" : "pause.fill"
            ) {
                Task { await camera.toggleFreeze() }
            }
            Spacer()
            if camera.hasTorch {
                Button("Torch", systemImage: camera.isTorchOn ? "bolt.fill" : "bolt.slash") {
                    Task { await camera.toggleTorch() }
                }
                .disabled(camera.isFrozen)
            }
            Button("Other camera", systemImage: "arrow.triangle.2.circlepath.camera") {
                Task { await camera.switchCamera() }
            }
        }
        .labelStyle(.iconOnly)
        .font(.title2)
    }
}

private struct CameraRefused: View {
    @Environment(\.openURL) private var openURL

    var body: some View {
        ContentUnavailableView {
            Label("The camera is not allowed", systemImage: "video.slash")
        } description: {
            Text("Allow it in Settings, under Harness Runner, Camera. Nothing that the camera sees is stored.")
        } actions: {
            Button("Open Settings") {
                if let settings = URL(string: UIApplication.openSettingsURLString) { openURL(settings) }
            }
        }
    }
}

/// Latency of the model alone, and frames per second.
struct SpeedText: View {
    let latencyNs: UInt64?
    let framesPerSecond: Double?

    var body: some View {
        VStack(alignment: .trailing) {
            if let latencyNs {
                Text("\(Double(latencyNs) / 1e6, format: .number.precision(.fractionLength(1))) ms")
            }
            if let framesPerSecond {
                Text("\(framesPerSecond, format: .number.precision(.fractionLength(0))) fps")
            }
        }
        .font(.caption.monospacedDigit())
    }
}

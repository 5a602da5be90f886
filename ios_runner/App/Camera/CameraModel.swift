import AVFoundation
import Observation

/// What the camera screen shows and does.
@MainActor
@Observable
final class CameraModel {
    enum State: Equatable {
        case starting
        case refused
        case failed(String)
        case running
    }

    private(set) var state = State.starting
    private(set) var shown: Classification?
    private(set) var framesPerSecond: Double?
    private(set) var isFrozen = false
    private(set) var isTorchOn = false
    private(set) var hasTorch = false
    private(set) var position = AVCaptureDevice.Position.back

    let session = CameraSession()
    private let gate = FrameGate()
    private var rate = FrameRate()
    private var model: LiveModel?

    /// Starts the camera for `model`, or goes over to it.
    func start(with model: LiveModel) async {
        self.model = model
        guard await CameraSession.mayCapture() else {
            state = .refused
            return
        }
        await restart()
    }

    func stop() async {
        await session.stop()
        state = .starting
        isTorchOn = false
    }

    func switchCamera() async {
        position = position == .back ? .front : .back
        isTorchOn = false
        await restart()
    }

    /// A frozen screen keeps its last labels; resumed, it starts to smooth anew.
    func toggleFreeze() async {
        isFrozen.toggle()
        if isFrozen {
            await session.stop()
            isTorchOn = false
        } else {
            await restart()
        }
    }

    func toggleTorch() async {
        do {
            try await session.setTorch(on: !isTorchOn)
            isTorchOn.toggle()
        } catch {
            state = .failed("the torch: \(error.localizedDescription)")
        }
    }

    private func restart() async {
        guard let model else { return }
        await model.forgetFrames()
        rate = FrameRate()
        isFrozen = false
        let gate = gate
        do {
            try await session.start(position: position) { [weak self] frame in
                guard gate.enter() else { return }
                Task { [weak self] in
                    let result = await Result(awaiting: { try await model.classify(frame: frame) })
                    gate.leave()
                    await self?.show(result)
                }
            }
            hasTorch = await session.hasTorch()
            state = .running
        } catch {
            state = .failed(error.localizedDescription)
        }
    }

    private func show(_ result: Result<Classification, Error>) {
        // A frame may have been on its way when the screen was frozen.
        guard !isFrozen else { return }
        switch result {
        case .success(let classification):
            shown = classification
            framesPerSecond = rate.add(now: ProcessInfo.processInfo.systemUptime)
        case .failure(let error):
            state = .failed(error.localizedDescription)
        }
    }
}

extension Result where Failure == Error {
    /// The outcome of `work`, which may suspend.
    init(awaiting work: @Sendable () async throws -> Success) async {
        do {
            self = .success(try await work())
        } catch {
            self = .failure(error)
        }
    }
}

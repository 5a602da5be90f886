import os

/// Lets one frame through at a time: a frame that comes while the model works is dropped, never queued.
final class FrameGate: Sendable {
    private struct Counts {
        var isBusy = false
        var dropped = 0
    }

    private let counts = OSAllocatedUnfairLock(initialState: Counts())

    func enter() -> Bool {
        counts.withLock { counts in
            if counts.isBusy {
                counts.dropped += 1
                return false
            }
            counts.isBusy = true
            return true
        }
    }

    func leave() { counts.withLock { $0.isBusy = false } }

    var dropped: Int { counts.withLock { $0.dropped } }
}

/// Frames per second over the last second.
struct FrameRate {
    private var times: [Double] = []

    /// `now` in seconds on any clock that does not step; the rate once two frames are known.
    mutating func add(now: Double) -> Double? {
        times.append(now)
        times.removeAll { $0 < now - 1 }
        guard let first = times.first, times.count > 1, now > first else { return nil }
        return Double(times.count - 1) / (now - first)
    }
}

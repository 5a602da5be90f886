public struct OSAllocatedUnfairLock<State>: @unchecked Sendable {
    public init(initialState: State) where State: Sendable {}
    public func withLock<Output: Sendable>(_ body: @Sendable (inout State) throws -> Output) rethrows -> Output {
        fatalError()
    }
}

// What the app takes of Foundation and Dispatch that their versions for Linux lack; every file of the app sees it.
@_exported import Foundation

extension ProcessInfo {
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }

    public var thermalState: ThermalState { .nominal }
    public var isLowPowerModeEnabled: Bool { false }
    public static let thermalStateDidChangeNotification = NSNotification.Name("")
}

// A subclass of DispatchQueue on Apple's systems.
public final class DispatchSerialQueue: SerialExecutor {
    public init(label: String, qos: DispatchQoS) {}
    public func enqueue(_ job: consuming ExecutorJob) {}
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}

public final class NSKeyValueObservation: NSObject {}

public struct _ObservingOptions: OptionSet, Sendable {
    public let rawValue: UInt
    public init(rawValue: UInt) { self.rawValue = rawValue }
    public static let initial = _ObservingOptions(rawValue: 1)
    public static let new = _ObservingOptions(rawValue: 2)
}

extension NSObjectProtocol where Self: NSObject {
    // The change that the second argument of the handler tells of is not looked at.
    public func observe<Value>(
        _ keyPath: KeyPath<Self, Value>, options: _ObservingOptions, changeHandler: @escaping (Self, Void) -> Void
    ) -> NSKeyValueObservation { NSKeyValueObservation() }
}

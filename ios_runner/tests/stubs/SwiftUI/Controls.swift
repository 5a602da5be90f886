import Foundation

public struct Button: _Leaf {
    public init(_ title: LocalizedStringKey, action: @escaping @MainActor () -> Void) {}
    @_disfavoredOverload
    public init<Title: StringProtocol>(_ title: Title, action: @escaping @MainActor () -> Void) {}
    public init(_ title: LocalizedStringKey, systemImage: String, action: @escaping @MainActor () -> Void) {}
    public init(_ title: LocalizedStringKey, role: ButtonRole?, action: @escaping @MainActor () -> Void) {}
}

public struct ButtonRole: Sendable {
    public static let destructive = ButtonRole()
}

public struct ProgressView: _Leaf {
    public init() {}
    public init(_ title: LocalizedStringKey) {}
    public init<Value: BinaryFloatingPoint>(value: Value?) {}
}

public struct ShareLink: _Leaf {
    public init<Items: RandomAccessCollection>(items: Items) where Items.Element == URL {}
}

public struct Spacer: _Leaf {
    public init() {}
}

import Foundation

public struct LocalizedStringKey: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) {}
    public init(stringInterpolation: StringInterpolation) {}

    public struct StringInterpolation: StringInterpolationProtocol {
        public init(literalCapacity: Int, interpolationCount: Int) {}
        public mutating func appendLiteral(_ literal: String) {}
        public mutating func appendInterpolation(_ text: String) {}
        public mutating func appendInterpolation<Number: FixedWidthInteger>(_ number: Number) {}
        public mutating func appendInterpolation<Style: FormatStyle>(_ input: Style.FormatInput, format: Style)
        where Style.FormatInput: Equatable, Style.FormatOutput == String {}
    }
}

public struct Text: _Leaf {
    public init(_ key: LocalizedStringKey) {}
    @_disfavoredOverload
    public init<Content: StringProtocol>(_ content: Content) {}
    public init<Style: FormatStyle>(_ input: Style.FormatInput, format: Style)
    where Style.FormatInput: Equatable, Style.FormatOutput == String {}
}

public struct Label: _Leaf {
    public init(_ title: LocalizedStringKey, systemImage: String) {}
}

public struct LabeledContent: _Leaf {
    public init<Value: StringProtocol>(_ title: LocalizedStringKey, value: Value) {}
    @_disfavoredOverload
    public init<Title: StringProtocol, Value: StringProtocol>(_ title: Title, value: Value) {}
}

public struct TextField: _Leaf {
    public init(_ title: LocalizedStringKey, text: Binding<String>, axis: Axis) {}
}

public struct Font: Sendable {
    public static let largeTitle = Font()
    public static let title2 = Font()
    public static let headline = Font()
    public static let footnote = Font()
    public static let caption = Font()
    public func monospaced() -> Font { self }
    public func monospacedDigit() -> Font { self }
}

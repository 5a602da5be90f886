import Foundation
import Observation

// What a view shows.
extension View {
    public func id<ID: Hashable>(_ id: ID) -> some View { self }
    public func overlay<Content: View>(@ViewBuilder content: () -> Content) -> some View { self }
    public func tabItem<Content: View>(@ViewBuilder _ label: () -> Content) -> some View { self }
    public func toolbar<Content: View>(@ViewBuilder content: () -> Content) -> some View { self }
    public func swipeActions<Content: View>(@ViewBuilder content: () -> Content) -> some View { self }
    public func navigationTitle(_ title: LocalizedStringKey) -> some View { self }
    @_disfavoredOverload
    public func navigationTitle<Title: StringProtocol>(_ title: Title) -> some View { self }
    public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
    public func accessibilityLabel(_ label: LocalizedStringKey) -> some View { self }
    public func accessibilityHint<Hint: StringProtocol>(_ hint: Hint) -> some View { self }
}

// How it looks.
extension View {
    public func font(_ font: Font?) -> some View { self }
    public func monospacedDigit() -> some View { self }
    public func lineLimit(_ number: Int?) -> some View { self }
    public func foregroundStyle<Style: ShapeStyle>(_ style: Style) -> some View { self }
    public func background<Style: ShapeStyle, Outline: Shape>(_ style: Style, in shape: Outline) -> some View { self }
    public func padding() -> some View { self }
    public func frame(maxWidth: CGFloat? = nil, minHeight: CGFloat? = nil) -> some View { self }
    public func ignoresSafeArea(edges: Edge.Set) -> some View { self }
    public func labelStyle<Style: LabelStyle>(_ style: Style) -> some View { self }
    public func textFieldStyle<Style: TextFieldStyle>(_ style: Style) -> some View { self }
}

// What it does.
extension View {
    public func environment<Object: AnyObject & Observable>(_ object: Object?) -> some View { self }
    public func disabled(_ disabled: Bool) -> some View { self }
    public func focused(_ condition: FocusState<Bool>.Binding) -> some View { self }
    public func onAppear(perform action: (() -> Void)? = nil) -> some View { self }
    public func onDisappear(perform action: (() -> Void)? = nil) -> some View { self }
    public func onChange<Value: Equatable>(
        of value: Value, _ action: @escaping (_ before: Value, _ now: Value) -> Void
    ) -> some View { self }
    public func refreshable(action: @escaping @Sendable () async -> Void) -> some View { self }
    public func task(@_inheritActorContext _ action: @escaping @Sendable () async -> Void) -> some View { self }
    public func task<ID: Equatable>(
        id value: ID, @_inheritActorContext _ action: @escaping @Sendable () async -> Void
    ) -> some View { self }
}

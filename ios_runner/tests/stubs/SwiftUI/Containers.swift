import Foundation

public struct Group<Content: View>: _Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}

public struct HStack<Content: View>: _Leaf {
    public init(
        alignment: VerticalAlignment = .top, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) {}
}

public struct VStack<Content: View>: _Leaf {
    public init(
        alignment: HorizontalAlignment = .leading, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) {}
}

public struct ZStack<Content: View>: _Leaf {
    public init(alignment: Alignment, @ViewBuilder content: () -> Content) {}
}

public struct List<Content: View>: _Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}

public struct Section<Content: View>: _Leaf {
    public init(_ title: LocalizedStringKey, @ViewBuilder content: () -> Content) {}
}

public struct ForEach<Items: RandomAccessCollection, Content: View>: _Leaf {
    public init(_ items: Items, @ViewBuilder content: @escaping (Items.Element) -> Content)
    where Items.Element: Identifiable {}
    public init<ID: Hashable>(
        _ items: Items, id: KeyPath<Items.Element, ID>, @ViewBuilder content: @escaping (Items.Element) -> Content
    ) {}
}

public struct NavigationStack<Content: View>: _Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}

public struct NavigationLink<Title: View, Destination: View>: _Leaf {
    public init(@ViewBuilder destination: () -> Destination, @ViewBuilder label: () -> Title) {}
}

public struct TabView<Content: View>: _Leaf {
    public init(@ViewBuilder content: () -> Content) {}
}

public struct Menu<Title: View, Content: View>: _Leaf {
    public init(@ViewBuilder content: () -> Content, @ViewBuilder label: () -> Title) {}
}

public struct ContentUnavailableView<Title: View, Description: View, Actions: View>: _Leaf {
    public init(
        @ViewBuilder label: () -> Title, @ViewBuilder description: () -> Description,
        @ViewBuilder actions: () -> Actions
    ) {}
}

extension ContentUnavailableView where Title == Label, Description == Text?, Actions == Never {
    public init(_ title: LocalizedStringKey, systemImage: String, description: Text?) {}
}

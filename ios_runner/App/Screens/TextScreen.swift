import SwiftUI

struct TextScreen: View {
    var body: some View {
        LiveVariantGate(isImageTask: false) { LiveText(model: $0) }
    }
}

private struct LiveText: View {
    @State private var text = ""
    @State private var shown: Classification?
    @State private var problem: String?
    @FocusState private var isTyping: Bool
    let model: LiveModel

    var body: some View {
        VStack(alignment: .leading, spacing: 16) {
            HStack {
                LiveVariantHeader(description: model.description)
                Spacer()
                SpeedText(latencyNs: shown?.latencyNs, framesPerSecond: nil)
            }
            HStack {
                ForEach(shown?.labels ?? []) { label in
                    // A tap on a suggestion puts it at the end, as a keyboard does.
                    Button(label.text) { text += label.text }
                        .font(.largeTitle)
                        .frame(maxWidth: .infinity)
                        .accessibilityHint(label.probability.formatted(.percent.precision(.fractionLength(0))))
                }
            }
            .frame(minHeight: 56)
            TextField("Type here", text: $text, axis: .vertical)
                .textFieldStyle(.roundedBorder)
                .focused($isTyping)
            if let problem { Text(problem).foregroundStyle(.red) }
            LabelList(labels: shown?.labels ?? [])
            Spacer()
        }
        .padding()
        .onAppear { isTyping = true }
        // Each keystroke replaces the task of the one before.
        .task(id: text) { await suggest(for: text) }
    }

    private func suggest(for typed: String) async {
        guard !typed.isEmpty else {
            shown = nil
            return
        }
        do {
            let classification = try await model.classify(text: typed)
            guard !Task.isCancelled else { return }
            shown = classification
            problem = nil
        } catch {
            problem = error.localizedDescription
        }
    }
}

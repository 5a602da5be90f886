import SwiftUI

/// Labels with their probabilities, best first.
struct LabelList: View {
    let labels: [ShownLabel]

    var body: some View {
        VStack(alignment: .leading, spacing: 6) {
            ForEach(labels) { label in
                HStack {
                    Text(label.text).lineLimit(1)
                    Spacer()
                    Text(label.probability, format: .percent.precision(.fractionLength(0))).monospacedDigit()
                }
                .accessibilityElement(children: .combine)
            }
        }
    }
}

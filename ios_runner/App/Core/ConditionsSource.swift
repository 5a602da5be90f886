import HarnessCore
import UIKit
import os

/// Heat, power and battery: what the core cannot ask the system for.
final class ConditionsSource: Sendable {
    private let batteryLevel = OSAllocatedUnfairLock<Double>(initialState: -1)

    /// Lives as long as the source, which its owner keeps as long as the handle.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// The battery's level can be read on the main thread only; it changes by whole percents.
    @MainActor
    func watchBattery() {
        UIDevice.current.isBatteryMonitoringEnabled = true
        readBattery()
        NotificationCenter.default.addObserver(
            forName: UIDevice.batteryLevelDidChangeNotification, object: nil, queue: .main
        ) { [weak self] _ in
            MainActor.assumeIsolated { self?.readBattery() }
        }
    }

    @MainActor
    private func readBattery() {
        let level = Double(UIDevice.current.batteryLevel)
        batteryLevel.withLock { $0 = level }
    }

    static let callback: harness_runner_conditions_callback = { context, conditions in
        guard let context, let conditions else { return }
        let source = Unmanaged<ConditionsSource>.fromOpaque(context).takeUnretainedValue()
        let process = ProcessInfo.processInfo
        conditions.pointee.thermal_state = ThermalState(process.thermalState).core
        conditions.pointee.low_power_mode = process.isLowPowerModeEnabled ? 1 : 0
        conditions.pointee.battery_level = source.batteryLevel.withLock { $0 }
    }
}

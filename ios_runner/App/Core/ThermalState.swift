import Foundation
import HarnessCore

/// The system's thermal state, with the names of the event log.
enum ThermalState: String {
    case nominal, fair, serious, critical, unknown

    init(_ state: ProcessInfo.ThermalState) {
        switch state {
        case .nominal: self = .nominal
        case .fair: self = .fair
        case .serious: self = .serious
        case .critical: self = .critical
        @unknown default: self = .unknown
        }
    }

    var core: harness_runner_thermal_state {
        switch self {
        case .nominal: return HARNESS_RUNNER_THERMAL_NOMINAL
        case .fair: return HARNESS_RUNNER_THERMAL_FAIR
        case .serious: return HARNESS_RUNNER_THERMAL_SERIOUS
        case .critical: return HARNESS_RUNNER_THERMAL_CRITICAL
        case .unknown: return HARNESS_RUNNER_THERMAL_UNKNOWN
        }
    }
}

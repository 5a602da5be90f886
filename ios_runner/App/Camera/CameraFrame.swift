import CoreVideo

/// One upright frame on its way from the camera to the model. Nobody writes to its pixels any more.
struct CameraFrame: @unchecked Sendable {
    let buffer: CVPixelBuffer
}

// The C interface of live variants: no exception leaves it.
#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "errors.h"
#include "harness_live.h"
#include "label_smoother.h"
#include "live_session.h"
#include "output_values.h"
#include "runner_handle.h"

struct harness_live {
  explicit harness_live(std::unique_ptr<harness::LiveSession> opened)
      : session(std::move(opened)), smoother(smoothing_rule(session->variant())) {}

  static harness::SmoothingRule smoothing_rule(const harness::LiveVariant& variant) {
    harness::SmoothingRule rule;
    rule.most = static_cast<size_t>(variant.top);
    return rule;
  }

  std::unique_ptr<harness::LiveSession> session;
  harness::LabelSmoother smoother;
  std::string last_error;
};

namespace {

using namespace harness;

template <typename Call>
int32_t attempt(harness_live* live, Call call) {
  live->last_error.clear();
  try {
    call(*live->session);
    return 1;
  } catch (const std::exception& error) {
    remember(live->last_error, error.what());
  }
  return 0;
}

harness_live_label label_of(const harness_live* live, size_t class_index, double value) {
  return {live->session->labels()[class_index].c_str(), static_cast<int32_t>(class_index),
          static_cast<float>(value)};
}

}  // namespace

harness_live* harness_live_open(harness_runner* runner, const char* live_json) {
  runner->last_error.clear();
  try {
    if (live_json == nullptr) throw LogUnwritable("no live variant was given");
    return new harness_live(std::make_unique<LiveSession>(live_json, runner->settings));
  } catch (const std::exception& error) {
    remember(runner->last_error, error.what());
  }
  return nullptr;
}

void harness_live_close(harness_live* live) { delete live; }

harness_live_info harness_live_describe(const harness_live* live) {
  const LiveVariant& variant = live->session->variant();
  harness_live_info info{};
  info.name = variant.name.c_str();
  info.model_sha256 = variant.model.sha256.c_str();
  info.task = variant.image ? HARNESS_LIVE_IMAGE_CLASSIFICATION : HARNESS_LIVE_TEXT_CLASSIFICATION;
  info.classes = static_cast<int32_t>(live->session->scores().size());
  info.top = variant.top;
  info.threads = variant.threads;
  info.input_width = variant.image ? variant.image->width : 0;
  info.input_height = variant.image ? variant.image->height : 0;
  info.record_bytes = variant.encoding.record_bytes();
  info.load_ns = live->session->load_ns();
  info.compile_ns = live->session->compile_ns();
  return info;
}

int32_t harness_live_classify_frame(harness_live* live, const harness_live_frame* frame) {
  return attempt(live, [frame](LiveSession& session) {
    session.classify_frame({frame->bgra, frame->width, frame->height, frame->row_bytes});
  });
}

int32_t harness_live_classify_text(harness_live* live, const char* utf8) {
  return attempt(live, [utf8](LiveSession& session) { session.classify_text(utf8); });
}

int32_t harness_live_classify_record(harness_live* live, const void* record, size_t bytes) {
  return attempt(live, [=](LiveSession& session) { session.classify_record(record, bytes); });
}

int32_t harness_live_prepare_frame(harness_live* live, const harness_live_frame* frame, uint8_t* record) {
  return attempt(live, [=](LiveSession& session) {
    const auto prepared = session.frame_record({frame->bgra, frame->width, frame->height, frame->row_bytes});
    std::copy(prepared.begin(), prepared.end(), record);
  });
}

int32_t harness_live_prepare_text(harness_live* live, const char* utf8, uint8_t* record) {
  return attempt(live, [=](LiveSession& session) {
    const auto prepared = session.text_record(utf8);
    std::copy(prepared.begin(), prepared.end(), record);
  });
}

uint64_t harness_live_latency_ns(const harness_live* live) { return live->session->latency_ns(); }

const float* harness_live_scores(const harness_live* live) { return live->session->scores().data(); }

int32_t harness_live_best(const harness_live* live, harness_live_label* labels, int32_t capacity) {
  try {
    const std::vector<float>& scores = live->session->scores();
    const auto best = best_classes(scores, static_cast<size_t>(std::max(capacity, 0)));
    for (size_t i = 0; i < best.size(); ++i) {
      labels[i] = label_of(live, best[i], static_cast<double>(scores[best[i]]));
    }
    return static_cast<int32_t>(best.size());
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

int32_t harness_live_smooth(harness_live* live, harness_live_label* labels, int32_t capacity) {
  try {
    const std::vector<float>& scores = live->session->scores();
    const auto smoothed = live->smoother.add(scores.data(), scores.size());
    const auto count = std::min(smoothed.size(), static_cast<size_t>(std::max(capacity, 0)));
    for (size_t i = 0; i < count; ++i) labels[i] = label_of(live, smoothed[i].class_index, smoothed[i].value);
    return static_cast<int32_t>(count);
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

void harness_live_forget(harness_live* live) { live->smoother.reset(); }

const char* harness_live_last_error(const harness_live* live) { return live->last_error.c_str(); }

#include <pthread.h>
#include <pthread/qos.h>

#include "thread_quality.h"

namespace harness {

std::optional<std::string> raise_thread_quality() {
  ::pthread_set_qos_class_self_np(QOS_CLASS_USER_INTERACTIVE, 0);
  switch (::qos_class_self()) {
    case QOS_CLASS_USER_INTERACTIVE: return "user-interactive";
    case QOS_CLASS_USER_INITIATED: return "user-initiated";
    case QOS_CLASS_DEFAULT: return "default";
    case QOS_CLASS_UTILITY: return "utility";
    case QOS_CLASS_BACKGROUND: return "background";
    default: return std::nullopt;
  }
}

}  // namespace harness

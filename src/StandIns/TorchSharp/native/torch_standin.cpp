// A flat C interface to libtorch. Operators are called by schema name through the boxed dispatcher, so that adding one
// needs no line here; the other functions are the few things that are not operators (handles, grad mode, generators).
#include <ATen/Context.h>
#include <ATen/Generator.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

enum Tag : int32_t { None, TensorTag, Int, Double, Bool, IntList, DoubleList, TensorList, String, GeneratorTag, DeviceTag };

// One argument or result. Lists and strings are a pointer and a count; a device is its type and, in count, its index.
struct Value {
  int32_t tag;
  int32_t count;
  union {
    int64_t i;
    double d;
    void* p;
  };
};

enum class Want { Plain, Float, OptionalTensors };

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Want> wants;
  size_t results;
};

thread_local std::string last_error;

template <class F>
auto guarded(F&& body, decltype(body()) failed) -> decltype(body()) {
  try {
    return body();
  } catch (const c10::Error& e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (...) {
    last_error = "unknown native error";
  }
  return failed;
}

at::Tensor borrow(void* handle) {
  if (!handle) return at::Tensor();
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(static_cast<c10::TensorImpl*>(handle)));
}

void* give(at::Tensor&& tensor) {
  return tensor.defined() ? tensor.unsafeReleaseTensorImpl() : nullptr;
}

const at::TensorImpl& impl(void* handle) { return *static_cast<at::TensorImpl*>(handle); }

c10::TypePtr without_optional(c10::TypePtr type) {
  while (auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type;
}

Want wanted(const c10::Argument& argument) {
  auto type = without_optional(argument.type());
  if (type->kind() == c10::TypeKind::FloatType) return Want::Float;
  if (auto list = type->cast<c10::ListType>()) {
    if (list->getElementType()->kind() == c10::TypeKind::OptionalType) return Want::OptionalTensors;
    if (list->getElementType()->kind() == c10::TypeKind::FloatType) return Want::Float;
  }
  return Want::Plain;
}

c10::IValue boxed(const Value& v, Want want) {
  switch (v.tag) {
    case None: return c10::IValue();
    case TensorTag: return c10::IValue(borrow(v.p));
    case Int: return want == Want::Float ? c10::IValue(static_cast<double>(v.i)) : c10::IValue(v.i);
    case Double: return c10::IValue(v.d);
    case Bool: return c10::IValue(v.i != 0);
    case IntList: {
      auto data = static_cast<const int64_t*>(v.p);
      c10::List<int64_t> list;
      list.reserve(v.count);
      for (int32_t k = 0; k < v.count; ++k) list.push_back(data[k]);
      return c10::IValue(std::move(list));
    }
    case DoubleList: {
      auto data = static_cast<const double*>(v.p);
      c10::List<double> list;
      list.reserve(v.count);
      for (int32_t k = 0; k < v.count; ++k) list.push_back(data[k]);
      return c10::IValue(std::move(list));
    }
    case TensorList: {
      auto data = static_cast<void* const*>(v.p);
      if (want == Want::OptionalTensors) {
        c10::impl::GenericList list(c10::OptionalType::create(c10::TensorType::get()));
        list.reserve(v.count);
        for (int32_t k = 0; k < v.count; ++k) list.push_back(data[k] ? c10::IValue(borrow(data[k])) : c10::IValue());
        return c10::IValue(std::move(list));
      }
      c10::List<at::Tensor> list;
      list.reserve(v.count);
      for (int32_t k = 0; k < v.count; ++k) list.push_back(borrow(data[k]));
      return c10::IValue(std::move(list));
    }
    case String: return c10::IValue(std::string(static_cast<const char*>(v.p), v.count));
    case GeneratorTag: return c10::IValue(*static_cast<at::Generator*>(v.p));
    case DeviceTag: return c10::IValue(c10::Device(static_cast<c10::DeviceType>(v.i), static_cast<c10::DeviceIndex>(v.count)));
  }
  TORCH_CHECK(false, "unknown argument tag ", v.tag);
}

Value unboxed(c10::IValue&& v) {
  Value out{None, 0, {0}};
  if (v.isTensor()) {
    out.tag = TensorTag;
    out.p = give(std::move(v).toTensor());
  } else if (v.isTensorList()) {
    auto list = v.toTensorVector();
    auto handles = static_cast<void**>(malloc(sizeof(void*) * (list.size() + 1)));
    for (size_t k = 0; k < list.size(); ++k) handles[k] = give(std::move(list[k]));
    out.tag = TensorList;
    out.count = static_cast<int32_t>(list.size());
    out.p = handles;
  } else if (v.isDouble()) {
    out.tag = Double;
    out.d = v.toDouble();
  } else if (v.isInt()) {
    out.tag = Int;
    out.i = v.toInt();
  } else if (v.isBool()) {
    out.tag = Bool;
    out.i = v.toBool();
  } else {
    TORCH_CHECK(v.isNone(), "a result of type ", v.tagKind(), " is not supported");
  }
  return out;
}

}  // namespace

EXPORT const char* ts_error() { return last_error.c_str(); }

// Returns a handle that lives as long as the process, or null: there is no such operator.
EXPORT void* ts_operator(const char* name, const char* overload) {
  return guarded([&]() -> void* {
    auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    auto op = std::make_unique<Operator>(Operator{handle, {}, handle.schema().returns().size()});
    for (const auto& argument : handle.schema().arguments()) op->wants.push_back(wanted(argument));
    return op.release();
  }, nullptr);
}

// Missing arguments at the end take the defaults of the schema. At most `capacity` results are kept.
// Returns the number of results, or -1.
EXPORT int32_t ts_call(void* op_handle, const Value* args, int32_t count, Value* results, int32_t capacity) {
  return guarded([&]() -> int32_t {
    auto& op = *static_cast<Operator*>(op_handle);
    const auto& schema = op.handle.schema();
    TORCH_CHECK(static_cast<size_t>(count) <= op.wants.size(), schema, " takes fewer than ", count, " arguments");
    torch::jit::Stack stack;
    stack.reserve(op.wants.size());
    for (int32_t k = 0; k < count; ++k) stack.push_back(boxed(args[k], op.wants[k]));
    for (size_t k = count; k < op.wants.size(); ++k) {
      auto value = schema.arguments()[k].default_value();
      TORCH_CHECK(value.has_value(), schema, " needs argument ", schema.arguments()[k].name());
      stack.push_back(*value);
    }
    op.handle.callBoxed(&stack);
    auto kept = std::min<int32_t>(capacity, static_cast<int32_t>(stack.size()));
    for (int32_t k = 0; k < kept; ++k) results[k] = unboxed(std::move(stack[k]));
    return static_cast<int32_t>(stack.size());
  }, -1);
}

EXPORT void ts_free(void* memory) { free(memory); }

EXPORT void ts_release(void* handle) {
  guarded([&] { c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(static_cast<c10::TensorImpl*>(handle)); return 0; }, -1);
}

EXPORT void ts_retain(void* handle) {
  c10::raw::intrusive_ptr::incref(static_cast<c10::TensorImpl*>(handle));
}

struct Info {
  int64_t dim, numel, dtype, device_type, device_index, item_size, storage_offset;
  uint8_t requires_grad, is_leaf, is_contiguous, is_sparse;
};

EXPORT void ts_info(void* handle, Info* info) {
  auto tensor = borrow(handle);
  info->dim = tensor.dim();
  info->numel = tensor.numel();
  info->dtype = static_cast<int64_t>(tensor.scalar_type());
  info->device_type = static_cast<int64_t>(tensor.device().type());
  info->device_index = tensor.device().index();
  info->item_size = tensor.itemsize();
  info->storage_offset = tensor.is_sparse() ? 0 : tensor.storage_offset();
  info->requires_grad = tensor.requires_grad();
  info->is_leaf = tensor.is_leaf();
  info->is_contiguous = !tensor.is_sparse() && tensor.is_contiguous();
  info->is_sparse = tensor.is_sparse();
}

EXPORT int64_t ts_dim(void* handle) { return impl(handle).dim(); }
EXPORT int64_t ts_numel(void* handle) { return impl(handle).numel(); }
EXPORT int64_t ts_dtype(void* handle) { return static_cast<int64_t>(c10::typeMetaToScalarType(impl(handle).dtype())); }

EXPORT void ts_sizes(void* handle, int64_t* sizes) {
  auto from = impl(handle).sizes();
  std::copy(from.begin(), from.end(), sizes);
}

EXPORT int32_t ts_strides(void* handle, int64_t* strides) {
  return guarded([&] {
    auto from = impl(handle).strides();
    std::copy(from.begin(), from.end(), strides);
    return 0;
  }, -1);
}

EXPORT void* ts_data(void* handle) {
  return guarded([&] { return borrow(handle).data_ptr(); }, nullptr);
}

EXPORT int32_t ts_set_requires_grad(void* handle, bool on) {
  return guarded([&] { borrow(handle).set_requires_grad(on); return 0; }, -1);
}

EXPORT int32_t ts_grad(void* handle, void** grad) {
  return guarded([&] { *grad = give(at::Tensor(borrow(handle).grad())); return 0; }, -1);
}

EXPORT int32_t ts_set_grad(void* handle, void* grad) {
  return guarded([&] { borrow(handle).mutable_grad() = borrow(grad); return 0; }, -1);
}

// Gradients of `outputs` with regard to `inputs`; grad_outputs may hold nulls, and so may the result.
EXPORT int32_t ts_autograd_grad(void** outputs, void** grad_outputs, int32_t output_count, void** inputs, int32_t input_count,
                                bool retain_graph, bool create_graph, bool allow_unused, void** results) {
  return guarded([&] {
    std::vector<at::Tensor> out, seeds, in;
    for (int32_t k = 0; k < output_count; ++k) {
      out.push_back(borrow(outputs[k]));
      seeds.push_back(borrow(grad_outputs[k]));
    }
    for (int32_t k = 0; k < input_count; ++k) in.push_back(borrow(inputs[k]));
    auto grads = torch::autograd::grad(out, in, seeds, retain_graph, create_graph, allow_unused);
    for (size_t k = 0; k < grads.size(); ++k) results[k] = give(std::move(grads[k]));
    return 0;
  }, -1);
}

EXPORT bool ts_grad_enabled() { return c10::GradMode::is_enabled(); }
EXPORT void ts_set_grad_enabled(bool on) { c10::GradMode::set_enabled(on); }
EXPORT bool ts_inference_enabled() { return c10::InferenceMode::is_enabled(); }
EXPORT void* ts_inference_enter(bool on) { return new c10::InferenceMode(on); }
EXPORT void ts_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

EXPORT void* ts_generator_default(int64_t device_type, int64_t device_index) {
  return guarded([&]() -> void* {
    auto device = c10::Device(static_cast<c10::DeviceType>(device_type), static_cast<c10::DeviceIndex>(device_index));
    return new at::Generator(at::globalContext().defaultGenerator(device));
  }, nullptr);
}

EXPORT void* ts_generator_new(uint64_t seed, int64_t device_type, int64_t device_index) {
  return guarded([&]() -> void* {
    auto device = c10::Device(static_cast<c10::DeviceType>(device_type), static_cast<c10::DeviceIndex>(device_index));
    auto generator = std::make_unique<at::Generator>(at::globalContext().defaultGenerator(device).clone());
    generator->set_current_seed(seed);
    return generator.release();
  }, nullptr);
}

EXPORT void ts_generator_release(void* handle) { delete static_cast<at::Generator*>(handle); }

EXPORT uint64_t ts_generator_seed(void* handle) { return static_cast<at::Generator*>(handle)->current_seed(); }

EXPORT int32_t ts_generator_set_seed(void* handle, uint64_t seed) {
  return guarded([&] {
    auto& generator = *static_cast<at::Generator*>(handle);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seed);
    return 0;
  }, -1);
}

EXPORT uint64_t ts_generator_random_seed(void* handle) {
  auto& generator = *static_cast<at::Generator*>(handle);
  std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.seed();
}

EXPORT void* ts_generator_state(void* handle) {
  return guarded([&]() -> void* {
    auto& generator = *static_cast<at::Generator*>(handle);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return give(generator.get_state());
  }, nullptr);
}

EXPORT int32_t ts_generator_set_state(void* handle, void* state) {
  return guarded([&] {
    auto& generator = *static_cast<at::Generator*>(handle);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(borrow(state));
    return 0;
  }, -1);
}

EXPORT int32_t ts_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); return 0; }, -1);
}

EXPORT const char* ts_version() { return TORCH_VERSION; }

EXPORT int32_t ts_threads() { return at::get_num_threads(); }
EXPORT void ts_set_threads(int32_t count) { at::set_num_threads(count); }
EXPORT int32_t ts_interop_threads() { return at::get_num_interop_threads(); }
EXPORT int32_t ts_set_interop_threads(int32_t count) {
  return guarded([&] { at::set_num_interop_threads(count); return 0; }, -1);
}

EXPORT int32_t ts_cuda_devices() {
  return guarded([&]() -> int32_t {
    if (!c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)) return 0;
    return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount();
  }, 0);
}

EXPORT int32_t ts_cuda_synchronize(int64_t device_index) {
  return guarded([&] { at::detail::getCUDAHooks().deviceSynchronize(device_index); return 0; }, -1);
}

EXPORT bool ts_tf32(bool cudnn) {
  return cudnn ? at::globalContext().allowTF32CuDNN() : at::globalContext().allowTF32CuBLAS();
}

EXPORT void ts_set_tf32(bool cudnn, bool on) {
  if (cudnn) at::globalContext().setAllowTF32CuDNN(on);
  else at::globalContext().setAllowTF32CuBLAS(on);
}

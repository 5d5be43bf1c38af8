namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public bool requires_grad
        {
            get => Info.RequiresGrad != 0;
            set => NativeMethods.Check(NativeMethods.ts_set_requires_grad(Handle, value));
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        /// <summary>The accumulated gradient, as a new object over the same storage each time; null before there is one.</summary>
        public unsafe Tensor? grad
        {
            get
            {
                nint grad;
                NativeMethods.Check(NativeMethods.ts_grad(Handle, &grad));
                return grad == 0 ? null : new Tensor(grad);
            }
            set => NativeMethods.Check(NativeMethods.ts_set_grad(Handle, value?.Handle ?? 0));
        }

        /// <summary>Computes the gradients of the graph that this scalar is the root of.</summary>
        public void backward() => Aten.Do("_backward", this, Array.Empty<Tensor>());

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null) =>
            Aten.Do("_backward", this, inputs?.ToArray() ?? [], grad_tensors is { Count: > 0 } ? grad_tensors[0] : null, retain_graph, create_graph);

        public void retain_grad() => Aten.Do("retain_grad", this);

        public Tensor detach() => Aten.One("detach", this);

        public Tensor detach_() => Aten.InPlace("detach_", this);
    }

    public static partial class autograd
    {
        public static void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            for (var k = 0; k < tensors.Count; k++)
            {
                // All roots but the last keep what they share.
                var keep = retain_graph ?? (create_graph || k < tensors.Count - 1);
                Aten.Do("_backward", tensors[k], inputs?.ToArray() ?? [], grad_tensors?[k], keep, create_graph);
            }
        }

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        /// <summary>Gradients of the outputs with regard to the inputs, without touching <see cref="Tensor.grad"/>.</summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            var roots = outputs.Select(t => t.Handle).ToArray();
            var seeds = outputs.Select((_, k) => grad_outputs?[k]?.Handle ?? 0).ToArray();
            var leaves = inputs.Select(t => t.Handle).ToArray();
            var results = new nint[leaves.Length];
            fixed (nint* rootsAt = roots, seedsAt = seeds, leavesAt = leaves, resultsAt = results)
            {
                NativeMethods.Check(NativeMethods.ts_autograd_grad(
                    rootsAt, seedsAt, roots.Length, leavesAt, leaves.Length, retain_graph, create_graph, allow_unused, resultsAt));
            }
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            return [.. results.Select(handle => handle == 0 ? null! : new Tensor(handle))];
        }
    }

    /// <summary>Records no graph on this thread until disposed.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static IDisposable inference_mode(bool mode = true) => new InferenceModeGuard(mode);

    public static bool is_grad_enabled() => NativeMethods.ts_grad_enabled();

    public static bool is_inference_mode_enabled() => NativeMethods.ts_inference_enabled();

    private sealed class GradMode : IDisposable
    {
        private readonly bool before = NativeMethods.ts_grad_enabled();

        internal GradMode(bool on) => NativeMethods.ts_set_grad_enabled(on);

        public void Dispose() => NativeMethods.ts_set_grad_enabled(before);
    }

    private sealed class InferenceModeGuard(bool on) : IDisposable
    {
        private nint guard = NativeMethods.ts_inference_enter(on);

        public void Dispose()
        {
            if (guard != 0) NativeMethods.ts_inference_leave(guard);
            guard = 0;
        }
    }
}

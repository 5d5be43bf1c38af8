using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>A tensor that a module trains.</summary>
    public class Parameter : Tensor
    {
        /// <param name="data">A tensor, which becomes empty: the parameter takes over its storage and its place in its scope.</param>
        public Parameter(Tensor data, bool requires_grad = true)
            : this(data.OwningDisposeScope, data.requires_grad_(requires_grad))
        {
        }

        private Parameter(DisposeScope? scope, Tensor data)
            : base(data.DecoupleFromNativeHandle(), register: false)
        {
            if (scope is null) return;
            scope.Disposables.Remove(data);
            data.OwningDisposeScope = null;
            scope.Disposables.Add(this);
            OwningDisposeScope = scope;
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);
        }
    }
}

using System.Collections;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp
{
    namespace Modules
    {
        /// <summary>Modules in a row, registered as "0", "1", …</summary>
        public class ModuleList<T> : nn.Module, IList<T> where T : nn.Module
        {
            private readonly List<T> items;

            public ModuleList(params T[] modules)
                : base(nameof(ModuleList<T>)) => items = [.. modules];

            public int Count => items.Count;

            public bool IsReadOnly => false;

            public T this[int index]
            {
                get => items[index];
                set => Change(() => items[index] = value);
            }

            protected override void RegisterComponents()
            {
                ClearModules();
                for (var k = 0; k < items.Count; k++) register_module(k.ToString(), items[k]);
            }

            public void Add(T item) => Change(() => items.Add(item));

            public void append(params T[] parameters) => Change(() => items.AddRange(parameters));

            public void extend(IEnumerable<T> modules) => Change(() => items.AddRange(modules));

            public void Insert(int index, T item) => Change(() => items.Insert(index, item));

            public void RemoveAt(int index) => Change(() => items.RemoveAt(index));

            public bool Remove(T item)
            {
                var removed = false;
                Change(() => removed = items.Remove(item));
                return removed;
            }

            public void Clear() => Change(items.Clear);

            public bool Contains(T item) => items.Contains(item);

            public void CopyTo(T[] array, int arrayIndex) => items.CopyTo(array, arrayIndex);

            public int IndexOf(T item) => items.IndexOf(item);

            public IEnumerator<T> GetEnumerator() => items.GetEnumerator();

            IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

            private void Change(Action change)
            {
                change();
                RegisterComponents();
            }
        }

        /// <summary>Modules that feed each other.</summary>
        public class Sequential : nn.Module<Tensor, Tensor>
        {
            public Sequential(params nn.Module<Tensor, Tensor>[] modules)
                : base(nameof(Sequential))
            {
                foreach (var module in modules) append(module);
            }

            public Sequential(params (string name, nn.Module<Tensor, Tensor> module)[] modules)
                : base(nameof(Sequential))
            {
                foreach (var (name, module) in modules) append(name, module);
            }

            public int Count => _internal_submodules.Count;

            public Sequential append(nn.IModule<Tensor, Tensor> module) => append(Count.ToString(), module);

            public Sequential append(string name, nn.IModule<Tensor, Tensor> module)
            {
                register_module(name, (nn.Module)module);
                return this;
            }

            public override Tensor forward(Tensor tensor)
            {
                // What one module hands to the next belongs to nobody else: it goes as soon as it is used.
                var current = tensor;
                foreach (var (_, module) in _internal_submodules)
                {
                    var next = ((nn.IModule<Tensor, Tensor>)module).call(current);
                    if (!ReferenceEquals(current, tensor) && !ReferenceEquals(current, next)) current.Dispose();
                    current = next;
                }
                return ReferenceEquals(current, tensor) ? tensor.alias() : current;
            }
        }
    }

    public static partial class torch
    {
        public static partial class nn
        {
            public static ModuleList<Module> ModuleList(params Module[] modules) => new(modules);

            public static ModuleList<T> ModuleList<T>(params T[] modules) where T : Module => new(modules);

            public static Sequential Sequential() => new(Array.Empty<Module<Tensor, Tensor>>());

            public static Sequential Sequential(params Module<Tensor, Tensor>[] modules) => new(modules);

            public static Sequential Sequential(params (string name, Module<Tensor, Tensor> submodule)[] modules) => new(modules);

            public static Sequential Sequential(IEnumerable<Module<Tensor, Tensor>> modules) => new([.. modules]);
        }
    }
}

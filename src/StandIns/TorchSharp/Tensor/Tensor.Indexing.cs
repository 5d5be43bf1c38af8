using System.Runtime.CompilerServices;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        [IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => index(Singles(indices));
            set => index_put_(value, Singles(indices));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1]
        {
            get => select(0, i1);
            set => index_put_(value, Singles(i1));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2]
        {
            get => index(Singles(i1, i2));
            set => index_put_(value, Singles(i1, i2));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3]
        {
            get => index(Singles(i1, i2, i3));
            set => index_put_(value, Singles(i1, i2, i3));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => index(Singles(i1, i2, i3, i4));
            set => index_put_(value, Singles(i1, i2, i3, i4));
        }

        public Tensor index(params TensorIndex[] indices)
        {
            var (view, tensors) = View(indices);
            if (tensors is null) return ReferenceEquals(view, this) ? alias() : view;
            var result = Aten.One("index.Tensor", view, tensors);
            Free(view);
            return result;
        }

        public Tensor index(params Tensor[] indices) => Aten.One("index.Tensor", this, indices);

        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            var (view, tensors) = View(indices);
            if (tensors is not null) Aten.InPlace("index_put_", view, tensors, value, accumulate);
            else if (accumulate) view.add_(value);
            else view.copy_(value);
            Free(view);
            return this;
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) =>
            Aten.InPlace("index_put_", this, indices, value, accumulate);

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            using var element = torch.full([], value, dtype, device);
            return index_put_(element, indices);
        }

        public Tensor index_put_(Scalar value, params Tensor[] indices)
        {
            using var element = torch.full([], value, dtype, device);
            return index_put_(element, indices);
        }

        public Tensor index_select(long dim, Tensor index) => Aten.One("index_select", this, dim, index);
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => Aten.One("index_add", this, dim, index, source, alpha);
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Aten.InPlace("index_add_", this, dim, index, source, alpha);
        public Tensor index_copy(long dim, Tensor index, Tensor source) => Aten.One("index_copy", this, dim, index, source);
        public Tensor index_copy_(long dim, Tensor index, Tensor source) => Aten.InPlace("index_copy_", this, dim, index, source);
        public Tensor index_fill(long dim, Tensor index, Scalar value) => Aten.One("index_fill.int_Scalar", this, dim, index, value);
        public Tensor index_fill_(long dim, Tensor index, Scalar value) => Aten.InPlace("index_fill_.int_Scalar", this, dim, index, value);
        public Tensor gather(long dim, Tensor index) => Aten.One("gather", this, dim, index);
        public Tensor scatter(long dim, Tensor index, Tensor src) => Aten.One("scatter.src", this, dim, index, src);
        public Tensor scatter_(long dim, Tensor index, Tensor src) => Aten.InPlace("scatter_.src", this, dim, index, src);
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Aten.One("scatter_add", this, dim, index, src);
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Aten.InPlace("scatter_add_", this, dim, index, src);
        public Tensor masked_fill(Tensor mask, Scalar value) => Aten.One("masked_fill.Scalar", this, mask, value);
        public Tensor masked_fill_(Tensor mask, Scalar value) => Aten.InPlace("masked_fill_.Scalar", this, mask, value);
        public Tensor masked_scatter(Tensor mask, Tensor value) => Aten.One("masked_scatter", this, mask, value);
        public Tensor masked_scatter_(Tensor mask, Tensor value) => Aten.InPlace("masked_scatter_", this, mask, value);
        public Tensor masked_select(Tensor mask) => Aten.One("masked_select", this, mask);
        public Tensor take(Tensor index) => Aten.One("take", this, index);
        public Tensor take_along_dim(Tensor indices) => Aten.One("take_along_dim", this, indices);
        public Tensor take_along_dim(Tensor indices, long dim) => Aten.One("take_along_dim", this, indices, dim);
        public Tensor where(Tensor condition, Tensor y) => Aten.One("where.self", condition, this, y);
        public Tensor nonzero() => Aten.One("nonzero", this);
        public Tensor argwhere() => Aten.One("argwhere", this);

        private static TensorIndex[] Singles(params long[] indices) => Array.ConvertAll(indices, index => TensorIndex.Single(index));

        private void Free(Tensor view)
        {
            if (!ReferenceEquals(view, this)) view.Dispose();
        }

        /// <summary>Applies the positions that make a view, which is this tensor where there are none. Tensor positions come back,
        /// aligned with the dimensions of the view.</summary>
        private (Tensor View, Tensor?[]? Tensors) View(TensorIndex[] indices)
        {
            var taken = indices.Count(i => i.kind is TensorIndex.Kind.Single or TensorIndex.Kind.Slice)
                + indices.Sum(i => i.kind == TensorIndex.Kind.Tensor ? (i.tensor!.dtype is ScalarType.Bool or ScalarType.Byte ? (int)i.tensor.Dimensions : 1) : 0);
            if (taken > Dimensions) throw new ArgumentException($"too many indices for tensor of dimension {Dimensions}");
            var view = this;
            List<Tensor?>? tensors = null;
            var dim = 0;
            var covered = 0;
            foreach (var index in indices)
            {
                switch (index.kind)
                {
                    case TensorIndex.Kind.Single:
                        Replace(view.select(dim, index.start!.Value));
                        break;
                    case TensorIndex.Kind.Slice:
                        if (index is not { start: null, stop: null, step: null })
                            Replace(Aten.One("slice.Tensor", view, dim, index.start, index.stop, index.step ?? 1));
                        dim++;
                        break;
                    case TensorIndex.Kind.None:
                        Replace(view.unsqueeze(dim++));
                        break;
                    case TensorIndex.Kind.Ellipsis:
                        dim += (int)Dimensions - taken;
                        break;
                    case TensorIndex.Kind.Bool:
                        Replace(view.unsqueeze(dim));
                        Put(torch.full([1], index.start == 1, ScalarType.Bool, device), 1);
                        break;
                    default:
                        var positions = index.tensor!;
                        Put(positions, positions.dtype is ScalarType.Bool or ScalarType.Byte ? (int)positions.Dimensions : 1);
                        break;
                }
            }
            return (view, tensors?.ToArray());

            void Replace(Tensor next)
            {
                Free(view);
                view = next;
            }

            void Put(Tensor positions, int dimensions)
            {
                tensors ??= [];
                for (; covered < dim; covered++) tensors.Add(null);
                tensors.Add(positions);
                dim += dimensions;
                covered = dim;
            }
        }
    }

    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);
    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);
    public static Tensor scatter(Tensor input, long dim, Tensor index, Tensor src) => input.scatter(dim, index, src);
    public static Tensor scatter_(Tensor input, long dim, Tensor index, Tensor src) => input.scatter_(dim, index, src);
    public static Tensor scatter_add(Tensor input, long dim, Tensor index, Tensor src) => input.scatter_add(dim, index, src);
    public static Tensor masked_select(Tensor input, Tensor mask) => input.masked_select(mask);
    public static Tensor take_along_dim(Tensor input, Tensor indices, long dim = 0) => input.take_along_dim(indices, dim);
    public static Tensor where(Tensor condition, Tensor x, Tensor y) => x.where(condition, y);
    public static Tensor nonzero(Tensor input) => input.nonzero();
    public static Tensor argwhere(Tensor input) => input.argwhere();
}

namespace TorchSharp;

/// Shapes, views, joining and splitting.
public static partial class torch
{
    public partial class Tensor
    {
        public Tensor T => numpy_T();
        public Tensor mT => transpose(-2, -1);

        public Tensor alias() => Aten.One("alias", this);
        public Tensor clone() => Aten.One("clone", this);
        public Tensor contiguous() => Aten.One("contiguous", this);
        public Tensor view(params long[] shape) => Aten.One("view", this, shape);
        public Tensor view_as(Tensor other) => view(other.shape);
        public Tensor reshape(params long[] shape) => Aten.One("reshape", this, shape);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Aten.One("flatten.using_ints", this, start_dim, end_dim);
        public Tensor unflatten(long dim, params long[] sizes) =>
            reshape([.. shape[..(int)Wrap(dim)], .. sizes, .. shape[((int)Wrap(dim) + 1)..]]);
        public Tensor ravel() => Aten.One("ravel", this);
        public Tensor transpose(long dim0, long dim1) => Aten.One("transpose.int", this, dim0, dim1);
        public Tensor transpose_(long dim0, long dim1) => Aten.InPlace("transpose_", this, dim0, dim1);
        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);
        public Tensor swapdims(long dim0, long dim1) => transpose(dim0, dim1);
        public Tensor t() => Aten.One("t", this);
        public Tensor permute(params long[] permutation) => Aten.One("permute", this, permutation);
        public Tensor permute(IEnumerable<long> permutation) => Aten.One("permute", this, permutation.ToArray());
        public Tensor movedim(long[] source, long[] destination) => Aten.One("movedim.intlist", this, source, destination);
        public Tensor squeeze(long? dim = null) => dim is long d ? Aten.One("squeeze.dim", this, d) : Aten.One("squeeze", this);
        public Tensor squeeze_(long? dim = null) => dim is long d ? Aten.InPlace("squeeze_.dim", this, d) : Aten.InPlace("squeeze_", this);
        public Tensor unsqueeze(long dim) => Aten.One("unsqueeze", this, dim);
        public Tensor unsqueeze_(long dim) => Aten.InPlace("unsqueeze_", this, dim);
        public Tensor expand(params long[] sizes) => Aten.One("expand", this, sizes);
        public Tensor expand(long[] sizes, bool isImplicit = false) => Aten.One("expand", this, sizes, isImplicit);
        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false) => Aten.One("expand", this, sizes, isImplicit);
        public Tensor expand_as(Tensor other) => Aten.One("expand_as", this, other);
        public Tensor broadcast_to(params long[] shape) => expand(shape);
        public Tensor repeat(params long[] sizes) => Aten.One("repeat", this, sizes);
        public Tensor tile(long[] reps) => Aten.One("tile", this, reps);
        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) =>
            Aten.One("repeat_interleave.self_int", this, repeats, dim, output_size);
        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null) =>
            Aten.One("repeat_interleave.self_Tensor", this, repeats, dim, output_size);
        public Tensor narrow(long dim, long start, long length) => Aten.One("narrow", this, dim, start, length);
        public Tensor select(long dim, long index) => Aten.One("select.int", this, dim, index);
        public Tensor slice(long dim, long start, long finish, long step) => Aten.One("slice.Tensor", this, dim, start, finish, step);
        public Tensor select_scatter(Tensor src, long dim, long index) => Aten.One("select_scatter", this, src, dim, index);
        public Tensor slice_scatter(Tensor src, long dim = 0L, long? start = null, long? end = null, long step = 1L) =>
            Aten.One("slice_scatter", this, src, dim, start, end, step);
        public Tensor as_strided(long[] size, long[] strides, long storageOffset = 0) => Aten.One("as_strided", this, size, strides, storageOffset);
        public Tensor unfold(long dimension, long size, long step) => Aten.One("unfold", this, dimension, size, step);
        public Tensor diagonal(long offset = 0L, long dim1 = 0L, long dim2 = 1L) => Aten.One("diagonal", this, offset, dim1, dim2);
        public Tensor diag(long diagonal = 0L) => Aten.One("diag", this, diagonal);
        public Tensor triu(long diagonal = 0L) => Aten.One("triu", this, diagonal);
        public Tensor triu_(long diagonal = 0L) => Aten.InPlace("triu_", this, diagonal);
        public Tensor tril(long diagonal = 0L) => Aten.One("tril", this, diagonal);
        public Tensor tril_(long diagonal = 0L) => Aten.InPlace("tril_", this, diagonal);
        public Tensor flip(params long[] dims) => Aten.One("flip", this, dims);
        public Tensor roll(long shifts, long? dims = null) => Aten.One("roll", this, new[] { shifts }, dims is long d ? new[] { d } : Array.Empty<long>());
        public Tensor roll(long[] shifts, params long[] dims) => Aten.One("roll", this, shifts, dims);
        public Tensor[] split(long size, int dim = 0) => Aten.Many("split.Tensor", this, size, (long)dim);
        public Tensor[] split(params long[] sizes) => Aten.Many("split_with_sizes", this, sizes);
        public Tensor[] split(long[] sizes, long dim = 0) => Aten.Many("split_with_sizes", this, sizes, dim);
        public Tensor[] split(ReadOnlySpan<long> sizes, long dim = 0) => Aten.Many("split_with_sizes", this, sizes, dim);
        public Tensor[] chunk(long chunks, long dim = 0L) => Aten.Many("chunk", this, chunks, dim);
        public Tensor[] unbind(long dimension = 0L) => Aten.Many("unbind.int", this, dimension);

        private Tensor numpy_T() => Aten.One("numpy_T", this);

        private long Wrap(long dim) => dim < 0 ? dim + Dimensions : dim;
    }

    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => Aten.One("cat", tensors.ToArray(), dim);
    public static Tensor cat(Tensor[] tensors, long dim = 0) => Aten.One("cat", tensors, dim);
    public static Tensor cat(ReadOnlySpan<Tensor> tensors, long dim = 0) => Aten.One("cat", tensors.ToArray(), dim);
    public static Tensor concat(IList<Tensor> tensors, long dim = 0) => cat(tensors, dim);
    public static Tensor concat(Tensor[] tensors, long dim = 0) => cat(tensors, dim);
    public static Tensor concat(ReadOnlySpan<Tensor> tensors, long dim = 0) => cat(tensors, dim);
    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => Aten.One("stack", tensors.ToArray(), dim);
    public static Tensor[] meshgrid(IEnumerable<Tensor> tensors, string indexing = "ij") => Aten.Many("meshgrid.indexing", tensors.ToArray(), indexing);
    public static IList<Tensor> broadcast_tensors(params Tensor[] tensors) => Aten.Many("broadcast_tensors", (Arg)tensors);
    public static Tensor[] split(Tensor tensor, long[] split_size_or_sections, long dim = 0) => tensor.split(split_size_or_sections, dim);
    public static Tensor[] chunk(Tensor input, long chunks, long dim = 0L) => input.chunk(chunks, dim);
    public static Tensor[] unbind(Tensor input, long dim = 0L) => input.unbind(dim);
    public static Tensor reshape(Tensor input, params long[] shape) => input.reshape(shape);
    public static Tensor flatten(Tensor input, long start_dim = 0, long end_dim = -1) => input.flatten(start_dim, end_dim);
    public static Tensor transpose(Tensor input, long dim0, long dim1) => input.transpose(dim0, dim1);
    public static Tensor permute(Tensor input, params long[] permutation) => input.permute(permutation);
    public static Tensor squeeze(Tensor input, long? dim = null) => input.squeeze(dim);
    public static Tensor unsqueeze(Tensor input, long dim) => input.unsqueeze(dim);
    public static Tensor broadcast_to(Tensor input, params long[] shape) => input.expand(shape);
    public static Tensor repeat_interleave(Tensor input, long repeats, long? dim = null, long? output_size = null) => input.repeat_interleave(repeats, dim, output_size);
    public static Tensor repeat_interleave(Tensor input, Tensor repeats, long? dim = null, long? output_size = null) => input.repeat_interleave(repeats, dim, output_size);
    public static Tensor tile(Tensor input, long[] dims) => input.tile(dims);
    public static Tensor narrow(Tensor input, long dim, long start, long length) => input.narrow(dim, start, length);
    public static Tensor select(Tensor input, long dim, long index) => input.select(dim, index);
    public static Tensor clone(Tensor input) => input.clone();
    public static Tensor triu(Tensor input, long diagonal = 0L) => input.triu(diagonal);
    public static Tensor tril(Tensor input, long diagonal = 0L) => input.tril(diagonal);
    public static Tensor diag(Tensor input, long diagonal = 0) => input.diag(diagonal);
    public static Tensor flip(Tensor input, params long[] dims) => input.flip(dims);
    public static Tensor roll(Tensor input, long shifts, long? dims = null) => input.roll(shifts, dims);
}

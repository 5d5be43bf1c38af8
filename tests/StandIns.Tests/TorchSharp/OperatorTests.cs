using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace FunctionsPipeline.Tests.StandIns;

public sealed class OperatorTests
{
    [Fact]
    public void Arithmetic_follows_broadcasting_and_operators()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new float[,] { { 1, 2 }, { 3, 4 } });
        var b = tensor(new float[] { 10, 20 });
        Assert.Equal([11, 22, 13, 24], (a + b).data<float>().ToArray());
        Assert.Equal([9, 18, 7, 16], (b - a).data<float>().ToArray());
        Assert.Equal([9, 8, 7, 6], (10 - a).data<float>().ToArray());
        Assert.Equal([2, 1, 2f / 3, 0.5f], (2f / a).data<float>().ToArray());
        Assert.Equal([1, 0, 1, 0], (a % 2).data<float>().ToArray());
        Assert.Equal([false, false, true, true], (a > 2).data<bool>().ToArray());
        Assert.Equal([1, 4, 9, 16], a.pow(2).data<float>().ToArray());
        Assert.Equal(3.5f, a.mean().item<float>() + 1);
        Assert.Equal(10.0, a.sum().ToDouble());
        Assert.Equal([7, 10, 15, 22], a.matmul(a).data<float>().ToArray());
        Assert.Equal([0.5f, 1.5f], a.div(2).T.data<float>().ToArray()[..2]);
    }

    [Fact]
    public void In_place_operators_return_the_same_object()
    {
        using var a = ones(3);
        Assert.Same(a, a.add_(1));
        Assert.Same(a, a.mul_(2f));
        Assert.Same(a, a.sigmoid_());
        Assert.Equal(1 / (1 + MathF.Exp(-4)), a[0].item<float>(), 6);
    }

    [Fact]
    public void Indexing_takes_numbers_slices_tensors_new_axes_and_the_rest()
    {
        using var scope = NewDisposeScope();
        var x = arange(24).reshape(2, 3, 4);
        Assert.Equal([2, 4], x[.., 1].shape);
        Assert.Equal([4, 5, 6, 7, 16, 17, 18, 19], x[.., 1].data<long>().ToArray());
        Assert.Equal([2, 3, 2], x[TensorIndex.Ellipsis, TensorIndex.Slice(1, null, 2)].shape);
        Assert.Equal([2, 3, 1, 4], x[TensorIndex.Colon, TensorIndex.Colon, TensorIndex.None].shape);
        Assert.Equal([1, 3, 13, 15], x[TensorIndex.Colon, TensorIndex.Single(0), TensorIndex.Tensor(tensor(new long[] { 1, 3 }))].data<long>().ToArray());
        Assert.Equal(23, x[^1, ^1, ^1].item<long>());
        Assert.Equal([20, 21, 22, 23], x[x > 19].data<long>().ToArray());
        Assert.Equal([9, 10], x.index(TensorIndex.Single(0), TensorIndex.Single(-1), TensorIndex.Slice(1, 3)).data<long>().ToArray());
        Assert.Throws<ArgumentException>(() => x[0, 0, 0, 0]);
    }

    [Fact]
    public void Assigning_through_an_index_changes_the_tensor()
    {
        using var scope = NewDisposeScope();
        var x = zeros(3, 4);
        x[1, 2] = 5f;
        x[TensorIndex.Colon, TensorIndex.Slice(0, 1)] = ones(3, 1);
        x.index_put_(tensor(new float[] { 7, 8 }), tensor(new long[] { 0, 2 }), tensor(new long[] { 3, 3 }));
        x.index_put_(tensor(2f), [tensor(new long[] { 0, 0 }), tensor(new long[] { 3, 3 })], accumulate: true);
        Assert.Equal([1, 0, 0, 11, 1, 0, 5, 0, 1, 0, 0, 8], x.data<float>().ToArray());
        x.masked_fill_(x > 4, -1);
        Assert.Equal(-3.0, x.where(x < 0, zeros_like(x)).sum().ToDouble());
        x.scatter_(1, tensor(new long[,] { { 1 }, { 1 }, { 1 } }), full(3, 1, 4f));
        Assert.Equal([4, 4, 4], x.index_select(1, tensor(new long[] { 1 })).data<float>().ToArray());
        Assert.Equal([1, 1, 1], x.gather(1, zeros(3, 1, dtype: int64)).data<float>().ToArray());
        x.masked_scatter_(x == -1, tensor(new float[] { 21, 22, 23 }));
        Assert.Equal([21, 22, 23], new[] { x[0, 3].ToSingle(), x[1, 2].ToSingle(), x[2, 3].ToSingle() });
    }

    [Fact]
    public void Shapes_change_without_copying_and_join_again()
    {
        using var scope = NewDisposeScope();
        var x = arange(12, dtype: float32).view(3, 4);
        Assert.Equal([1, 4], x.t().stride());
        Assert.False(x.t().is_contiguous());
        Assert.Equal([0, 4, 8], x.t().data<float>().ToArray()[..3]);
        Assert.True(x.Equals(cat(x.split(1))));
        Assert.True(x.Equals(cat([.. x.split([1, 3], dim: 1)], 1)));
        Assert.True(x.Equals(stack(x.unbind())));
        Assert.True(x.Equals(cat([.. x.chunk(2, 1)], 1)));
        Assert.Equal([3, 4, 2], x.unsqueeze(-1).expand(3, 4, 2).shape);
        Assert.Equal([6, 8], x.repeat(2, 2).shape);
        Assert.Equal([0, 0, 1, 1], x[0, ..].repeat_interleave(2).data<float>().ToArray()[..4]);
        Assert.Equal([0, 0, 1, 2, 3, 0], functional.pad(x, [1, 1]).data<float>().ToArray()[..6]);
        Assert.Equal(0 + 5 + 10 + 4 + 8 + 9, x.tril().sum().ToInt32());
        Assert.Equal([5, 6], x.narrow(0, 1, 1).slice(1, 1, 3, 1).data<float>().ToArray());
    }

    [Fact]
    public void Reductions_sorting_and_choosing()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[,] { { 3, 1, 2 }, { 6, 5, 4 } });
        Assert.Equal([6, 15], x.sum(1).data<float>().ToArray());
        Assert.Equal([2, 5], x.mean([1]).data<float>().ToArray());
        Assert.Equal([4.5f, 3, 3], x.mean([0], type: float32).data<float>().ToArray());
        Assert.Equal([0, 0], x.argmax(1).data<long>().ToArray());
        var (values, indices) = x.topk(2);
        Assert.Equal([3, 2, 6, 5], values.data<float>().ToArray());
        Assert.Equal([0, 2, 0, 1], indices.data<long>().ToArray());
        Assert.Equal([1, 2, 3, 4, 5, 6], x.sort(1).Values.data<float>().ToArray());
        Assert.Equal([3, 4, 6], x[0].cumsum(0).data<float>().ToArray());
        Assert.Equal(Math.Sqrt(91), x.norm().ToDouble(), 5);
        Assert.Equal(1, multinomial(tensor(new float[] { 0, 1 }), 1).ToInt32());
        Assert.Equal([14, 77], einsum("ij,ij->i", x, x).data<float>().ToArray());
        Assert.True(x.isfinite().all().ToBoolean());
        Assert.True(x.allclose(x + 1e-9));
        Assert.Equal([1, 2, 3], x[0].flip(0).sort().Values.data<float>().ToArray());
    }

    [Fact]
    public void Functions_of_a_network_match_their_definitions()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var x = randn(2, 5);
        Assert.True(functional.gelu(x).allclose(0.5 * x * (1 + (x / Math.Sqrt(2)).erf()), atol: 1e-6));
        Assert.True(functional.silu(x).allclose(x * x.sigmoid(), atol: 1e-6));
        var normal = (x - x.mean([-1], true)) / (x.var(-1, unbiased: false, keepdim: true) + 1e-5).sqrt();
        Assert.True(functional.layer_norm(x, [5]).allclose(normal, atol: 1e-5));
        var target = tensor(new long[] { 3, -100 });
        Assert.Equal(-functional.log_softmax(x, -1)[0, 3].ToDouble(), functional.cross_entropy(x, target).ToDouble(), 5);
        var image = randn(1, 2, 4, 4);
        var kernel = randn(3, 2, 2, 2);
        var patches = image.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(1, 2, 2, 8);
        Assert.True(functional.conv2d(image, kernel, strides: [2, 2]).permute(0, 2, 3, 1).allclose(patches.matmul(kernel.reshape(3, 8).t()), atol: 1e-5));
        Assert.Equal([1, 2, 8, 8], functional.interpolate(image, [8, 8], mode: InterpolationMode.Bicubic, align_corners: false).shape);
        Assert.Equal(float32, functional.softmax(x.bfloat16(), -1, float32).dtype);
        Assert.Equal(0.0, functional.dropout(ones(8), 1.0).sum().ToDouble());
    }

    [Theory]
    [InlineData("none")]
    [InlineData("causal")]
    [InlineData("boolean")]
    [InlineData("additive")]
    public void Attention_is_a_masked_softmax_of_scores(string kind)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var (q, k, v) = (randn(1, 2, 4, 8), randn(1, 2, 4, 8), randn(1, 2, 4, 8));
        var allowed = ones([4, 4], dtype: @bool).tril();
        var additive = zeros(4, 4).masked_fill(allowed.logical_not(), float.NegativeInfinity);
        var scores = q.matmul(k.transpose(-2, -1)) / Math.Sqrt(8);
        var expected = (kind == "none" ? scores : scores + additive).softmax(-1).matmul(v);
        var mask = kind switch { "boolean" => allowed, "additive" => additive, _ => null };
        var actual = functional.scaled_dot_product_attention(q, k, v, mask, is_casual: kind == "causal");
        Assert.True(actual.allclose(expected, atol: 1e-6));
    }

    [Fact]
    public void Element_types_convert_and_keep_their_bytes()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.5f, -2f });
        Assert.Equal([0xC0, 0x3F, 0x00, 0xC0], x.to(bfloat16).bytes.ToArray());
        Assert.Equal([(Half)1.5, (Half)(-2)], x.half().data<Half>().ToArray());
        Assert.Equal([1, -2], x.to(int64).data<long>().ToArray());
        var copy = empty(2, dtype: bfloat16);
        copy.bytes = x.bfloat16().bytes;
        Assert.Equal([1.5f, -2f], copy.to(float32).data<float>().ToArray());
        Assert.Equal([3L, 4L], frombuffer(new byte[] { 1, 2, 3, 4 }, int64, offset: 2).data<long>().ToArray());
        Assert.Equal([2, 2], from_array(new double[,] { { 1, 2 }, { 3, 4 } }).shape);
        Assert.Throws<ArgumentException>(() => x.data<double>());
        var same = x.to(float32);
        same.Dispose();
        Assert.False(x.IsInvalid);
    }

    [Fact]
    public void Random_numbers_repeat_with_their_seed()
    {
        using var scope = NewDisposeScope();
        var first = randn(4, generator: new Generator(7));
        Assert.True(first.Equals(randn(4, generator: new Generator(7))));
        manual_seed(3);
        var state = get_rng_state();
        var once = rand(4);
        set_rng_state(state);
        Assert.True(once.Equals(rand(4)));
        Assert.Equal([0, 1, 2, 3, 4], randperm(5).sort().Values.data<long>().ToArray());
    }

    [Fact]
    public void A_native_error_is_an_exception_with_the_message_of_libtorch()
    {
        using var a = zeros(2, 3);
        using var b = zeros(4, 5);
        var error = Assert.Throws<ExternalException>(() => a.matmul(b));
        Assert.Contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", error.Message);
        Assert.Throws<ExternalException>(() => a.view(7));
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_by_name()
    {
        if (cuda.is_available()) return;
        Assert.Equal(0, cuda.device_count());
        using var here = zeros(1);
        Assert.Equal(DeviceType.CPU, here.device.type);
        Assert.Contains("CUDA", Assert.Throws<InvalidOperationException>(() => here.to(CUDA)).Message);
        Assert.Contains("CUDA", Assert.Throws<InvalidOperationException>(() => zeros(1, device: device("cuda:0"))).Message);
    }
}

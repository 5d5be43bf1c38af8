using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.StandIns;

public sealed class AutogradTests
{
    [Fact]
    public void Gradients_agree_with_finite_differences()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var x = randn([3, 4], dtype: float64, requires_grad: true);
        var weight = randn([5, 4], dtype: float64);
        Tensor Loss(Tensor input) => nn.functional.gelu(nn.functional.linear(input, weight)).softmax(-1).pow(2).sum();
        Loss(x).backward();
        var grad = x.grad!;
        for (var row = 0; row < 3; row++)
        {
            var step = zeros_like(x);
            step[row, 1] = 1e-6;
            var difference = (Loss(x.detach() + step) - Loss(x.detach() - step)).ToDouble() / 2e-6;
            Assert.Equal(difference, grad[row, 1].ToDouble(), 7);
        }
    }

    [Fact]
    public void Gradients_accumulate_until_they_are_cleared()
    {
        using var scope = NewDisposeScope();
        var x = tensor(3f, requires_grad: true);
        Assert.Null(x.grad);
        (x * x).backward();
        (x * x).backward();
        Assert.Equal(12f, x.grad!.item<float>());
        x.grad = null;
        Assert.Null(x.grad);
        var (y, z) = (x * 2, x * 5);
        Assert.Equal([2f, 5f], new[] { autograd.grad([y], [x])[0].item<float>(), autograd.grad([z], [x])[0].item<float>() });
        Assert.Null(x.grad);
    }

    [Fact]
    public void Graph_recording_is_switched_off_per_thread_and_back_on()
    {
        using var scope = NewDisposeScope();
        var x = ones([2], requires_grad: true);
        using (no_grad())
        {
            Assert.False((x * 2).requires_grad);
            using (enable_grad()) Assert.True((x * 2).requires_grad);
            var elsewhere = false;
            var thread = new Thread(() => elsewhere = is_grad_enabled());
            thread.Start();
            thread.Join();
            Assert.True(elsewhere);
        }
        Assert.True((x * 2).requires_grad);
        using (inference_mode())
        {
            Assert.True(is_inference_mode_enabled());
            Assert.False((x * 2).requires_grad);
        }
        Assert.False(x.detach().requires_grad);
    }

    [Fact]
    public void The_padding_row_of_an_embedding_gets_no_gradient()
    {
        using var scope = NewDisposeScope();
        var embedding = nn.Embedding(4, 3, padding_idx: 2);
        embedding.call(tensor(new long[] { 1, 2, 2, 1 })).sum().backward();
        Assert.Equal([0, 2, 0, 0], embedding.weight!.grad!.select(1, 0).data<float>().ToArray());
    }

    [Fact]
    public void AdamW_takes_the_step_computed_by_hand()
    {
        using var scope = NewDisposeScope();
        var start = new[] { 1.0, -2.0, 0.5 };
        var parameter = new Parameter(tensor(start));
        var untouched = new Parameter(tensor(start));
        using var optimizer = optim.AdamW([parameter, untouched], lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01);
        var (expected, m, v) = (start.ToArray(), new double[3], new double[3]);
        for (var step = 1; step <= 3; step++)
        {
            if (step == 3) optimizer.ParamGroups.First().LearningRate = 0.05;
            var rate = step == 3 ? 0.05 : 0.1;
            optimizer.zero_grad();
            (parameter * parameter * parameter).sum().backward();
            optimizer.step();
            for (var k = 0; k < 3; k++)
            {
                var gradient = 3 * expected[k] * expected[k];
                m[k] = 0.9 * m[k] + 0.1 * gradient;
                v[k] = 0.999 * v[k] + 0.001 * gradient * gradient;
                expected[k] *= 1 - rate * 0.01;
                expected[k] -= rate * m[k] / (1 - Math.Pow(0.9, step)) / (Math.Sqrt(v[k] / (1 - Math.Pow(0.999, step))) + 1e-8);
            }
            Assert.All(expected.Zip(parameter.data<double>()), pair => Assert.Equal(pair.First, pair.Second, 12));
        }
        Assert.Equal(start, untouched.data<double>().ToArray());
    }

    [Fact]
    public void An_optimizer_clears_gradients_to_zero_and_not_to_nothing()
    {
        using var scope = NewDisposeScope();
        var (parameter, untouched) = (new Parameter(ones(1)), new Parameter(ones(1)));
        using var optimizer = optim.AdamW([parameter, untouched], lr: 0.1, weight_decay: 0.1);
        parameter.sum().backward();
        optimizer.zero_grad();
        Assert.Equal(0, parameter.grad!.item<float>());
        Assert.Null(untouched.grad);
        optimizer.step();
        Assert.Equal([0.99f, 1], new[] { parameter.item<float>(), untouched.item<float>() });
    }

    [Fact]
    public void The_state_of_an_optimizer_is_its_own_and_can_be_written_into()
    {
        using var scope = NewDisposeScope();
        var parameter = new Parameter(ones(1));
        using var optimizer = optim.AdamW([parameter], lr: 0.1);
        var state = (AdamW.State)optimizer.state_dict().State[0];
        state.exp_avg.fill_(1);
        state.exp_avg_sq.fill_(1);
        state.step = 1000;
        parameter.grad = zeros(1);
        optimizer.step();
        Assert.Equal(1001, state.step);
        Assert.Equal(0.9f, state.exp_avg.item<float>(), 6);
        Assert.Equal(1 - 0.1 * 0.9 / Math.Sqrt(0.999 / (1 - Math.Pow(0.999, 1001))), parameter.item<float>(), 5);
    }

    [Fact]
    public void Optimizer_state_moves_to_another_optimizer()
    {
        using var scope = NewDisposeScope();
        Parameter Fresh() => new(tensor(new[] { 1.0, 2.0 }));
        var (a, b) = (Fresh(), Fresh());
        using var first = optim.AdamW([a], lr: 0.1);
        using var second = optim.AdamW([b], lr: 0.2);
        a.pow(2).sum().backward();
        first.step();
        using (no_grad()) b.copy_(a);
        second.load_state_dict(first.state_dict());
        foreach (var (parameter, optimizer) in new[] { (a, first), (b, second) })
        {
            optimizer.zero_grad();
            parameter.pow(2).sum().backward();
            optimizer.step();
        }
        Assert.True(a.Equals(b));
    }

    [Fact]
    public void Clipping_scales_all_gradients_to_the_norm_and_returns_the_norm_before()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (new Parameter(zeros(1)), new Parameter(zeros(1)));
        (a * 3 + b * 4).sum().backward();
        Assert.Equal(5.0, nn.utils.clip_grad_norm_([a, b], 1), 6);
        Assert.Equal([0.6f, 0.8f], new[] { a.grad!.item<float>(), b.grad!.item<float>() }, (x, y) => Math.Abs(x - y) < 1e-5);
        Assert.Equal(1.0, nn.utils.clip_grad_norm_([a, b], 10), 5);
    }
}

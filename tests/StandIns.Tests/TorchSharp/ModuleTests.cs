using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.StandIns;

public sealed class ModuleTests
{
    private sealed class Block : nn.Module<Tensor, Tensor>
    {
        [ComponentName(Name = "up_proj")] private readonly Linear up = nn.Linear(4, 8, hasBias: false);
        private readonly Linear down = nn.Linear(8, 4);
        private readonly Parameter scale = nn.Parameter(ones(4));
        private readonly Tensor table = arange(4, dtype: float32);
        private readonly Tensor cache = zeros(4);

        public Block()
            : base(nameof(Block))
        {
            register_buffer(nameof(cache), cache, persistent: false);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => down.call(nn.functional.relu(up.call(input))) * scale + table + cache;
    }

    private sealed class Network : nn.Module<Tensor, Tensor>
    {
        private readonly ModuleList<Block> layers = nn.ModuleList(new Block(), new Block());
        private readonly LayerNorm norm = nn.LayerNorm(4);
        private readonly Dropout drop = nn.Dropout(0.5);

        public Network()
            : base(nameof(Network)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            foreach (var layer in layers) input = layer.call(input);
            return drop.call(norm.call(input));
        }
    }

    [Fact]
    public void State_is_named_by_fields_and_positions()
    {
        using var network = new Network();
        string[] block = ["scale", "table", "up_proj.weight", "down.weight", "down.bias"];
        string[] expected = [.. block.Select(n => $"layers.0.{n}"), .. block.Select(n => $"layers.1.{n}"), "norm.weight", "norm.bias"];
        Assert.Equal(expected.Order(), network.state_dict().Keys.Order());
        Assert.Equal(10, network.parameters().Count());
        Assert.Equal(4, network.named_buffers().Count());
        Assert.Contains("layers.1.up_proj", network.named_modules().Select(m => m.name));
        Assert.NotNull(network.get_parameter("layers.0.down.bias"));
    }

    [Fact]
    public void Loading_state_copies_values_and_names_what_does_not_fit()
    {
        using var scope = NewDisposeScope();
        var (source, target) = (new Network(), new Network());
        target.load_state_dict(source.state_dict());
        var x = randn(2, 4);
        source.eval();
        target.eval();
        Assert.True(source.call(x).Equals(target.call(x)));
        var partial = source.state_dict();
        partial.Remove("norm.bias");
        partial["extra"] = zeros(1);
        Assert.Throws<InvalidOperationException>(() => target.load_state_dict(partial));
        var (missing, unexpected) = target.load_state_dict(partial, strict: false);
        Assert.Equal((["norm.bias"], ["extra"]), (missing.ToArray(), unexpected.ToArray()), (a, b) => a.Item1.SequenceEqual(b.Item1) && a.Item2.SequenceEqual(b.Item2));
    }

    [Fact]
    public void Converting_a_module_converts_its_fields_too()
    {
        using var network = new Network();
        network.to(float64).eval();
        Assert.All(network.parameters(), parameter => Assert.Equal(float64, parameter.dtype));
        using var scope = NewDisposeScope();
        Assert.Equal(float64, network.call(zeros(1, 4, dtype: float64)).dtype);
        Assert.True(network.parameters().All(parameter => parameter.requires_grad && parameter.is_leaf));
    }

    [Fact]
    public void Training_mode_reaches_every_module()
    {
        using var scope = NewDisposeScope();
        var network = new Network();
        Assert.All(network.modules(), module => Assert.True(module.training));
        network.eval();
        Assert.All(network.modules(), module => Assert.False(module.training));
    }

    [Fact]
    public void Call_runs_hooks_and_forward_does_not()
    {
        using var scope = NewDisposeScope();
        var linear = nn.Linear(2, 2);
        var seen = 0;
        var pre = linear.register_forward_pre_hook((_, input) => input * 0);
        linear.register_forward_hook((_, _, output) =>
        {
            seen++;
            return output + 1;
        });
        Assert.True(linear.call(ones(2)).Equals(linear.bias! + 1));
        _ = linear.forward(ones(2));
        Assert.Equal(1, seen);
        pre.remove();
        Assert.True(linear.call(ones(2)).allclose(linear.forward(ones(2)) + 1));
    }

    [Fact]
    public void Modules_chain_in_a_sequence()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (nn.Linear(3, 4), nn.Linear(4, 2));
        var sequence = nn.Sequential(("in", first), ("act", nn.GELU()), ("out", second));
        var x = randn(5, 3);
        Assert.True(sequence.call(x).Equals(second.forward(nn.functional.gelu(first.forward(x)))));
        Assert.Equal(["in.weight", "in.bias", "out.weight", "out.bias"], sequence.state_dict().Keys);
    }
}

using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.optim;

namespace TorchSharp
{
    namespace Modules
    {
        /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).</summary>
        public class AdamW : OptimizerHelper, IBetas
        {
            public AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
                : this([new ParamGroup { Parameters = parameters }], lr, beta1, beta2, eps, weight_decay, amsgrad, maximize)
            {
            }

            public AdamW(IEnumerable<ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
            {
                if (lr < 0) throw new ArgumentException($"Invalid learning rate: {lr}");
                if (eps < 0) throw new ArgumentException($"Invalid ε: {eps}");
                if (beta1 is < 0 or >= 1) throw new ArgumentException($"Invalid beta1: {beta1}");
                if (beta2 is < 0 or >= 1) throw new ArgumentException($"Invalid beta2: {beta2}");
                if (weight_decay < 0) throw new ArgumentException($"Invalid weight_decay value: {weight_decay}");
                _defaults = new Options
                {
                    LearningRate = lr, InitialLearningRate = lr, beta1 = beta1, beta2 = beta2, eps = eps,
                    weight_decay = weight_decay, amsgrad = amsgrad, maximize = maximize,
                };
                foreach (var group in parameters) add_param_group(group);
            }

            private Options Defaults => (Options)_defaults;

            public (double, double) Betas
            {
                get => (Defaults.beta1!.Value, Defaults.beta2!.Value);
                set => (Defaults.beta1, Defaults.beta2) = value;
            }

            public override void add_param_group(Modules.ParamGroup param_group)
            {
                var options = (Options)(param_group.Options ??= new Options());
                options.LearningRate ??= Defaults.LearningRate;
                options.beta1 ??= Defaults.beta1;
                options.beta2 ??= Defaults.beta2;
                options.eps ??= Defaults.eps;
                options.weight_decay ??= Defaults.weight_decay;
                options.amsgrad ??= Defaults.amsgrad;
                options.maximize ??= Defaults.maximize;
                options.InitialLearningRate = options.LearningRate!.Value;
                param_group.Parameters = [.. param_group.Parameters];
                _parameter_groups.Add(param_group);
                foreach (var parameter in param_group.Parameters)
                {
                    var state = new State(parameter);
                    _state[parameter.Handle] = state;
                    state.Initialize(options);
                }
            }

            public override Tensor step(Func<Tensor>? closure = null)
            {
                Tensor loss = null!;
                if (closure is not null)
                    using (enable_grad()) loss = closure();
                using var untracked = no_grad();
                foreach (var group in _parameter_groups)
                    foreach (var parameter in group.Parameters)
                        Update(parameter, (State)_state[parameter.Handle], (Options)group.Options);
                return loss;
            }

            private static void Update(Parameter parameter, State state, Options options)
            {
                using var grad = parameter.grad;
                if (grad is null) return;
                state.step++;
                var (lr, beta1, beta2) = (options.LearningRate!.Value, options.beta1!.Value, options.beta2!.Value);
                var sign = options.maximize!.Value ? -1 : 1;
                var decay = lr * options.weight_decay!.Value;
                if (decay != 0) parameter.mul_((Scalar)(1 - decay));
                state.exp_avg.mul_((Scalar)beta1).add_(grad, sign * (1 - beta1));
                state.exp_avg_sq.mul_((Scalar)beta2).addcmul_(grad, grad, 1 - beta2);
                var second = state.exp_avg_sq;
                if (options.amsgrad!.Value)
                {
                    using (var before = state.max_exp_avg_sq)
                        state.max_exp_avg_sq = before!.maximum(second).DetachFromDisposeScope();
                    second = state.max_exp_avg_sq;
                }
                using var root = second.sqrt();
                root.div_((Scalar)Math.Sqrt(1 - Math.Pow(beta2, state.step))).add_((Scalar)options.eps!.Value);
                parameter.addcdiv_(state.exp_avg, root, -lr / (1 - Math.Pow(beta1, state.step)));
            }

            protected override void Dispose(bool disposing)
            {
                base.Dispose(disposing);
                if (!disposing) return;
                foreach (var (_, state) in _state) ((State)state).Dispose();
            }

            /// <summary>Moments of one parameter's gradient, in the parameter's shape.</summary>
            public sealed class State : OptimizerState, IDisposable
            {
                public long step;
                public Tensor exp_avg = null!;
                public Tensor exp_avg_sq = null!;
                public Tensor? max_exp_avg_sq;

                public State(Parameter parameter)
                    : base(parameter)
                {
                }

                public override void Initialize(OptimizerOptions options)
                {
                    step = 0;
                    exp_avg = _parameter.zeros_like().DetachFromDisposeScope();
                    exp_avg_sq = _parameter.zeros_like().DetachFromDisposeScope();
                    max_exp_avg_sq = ((Options)options).amsgrad == true ? _parameter.zeros_like().DetachFromDisposeScope() : null;
                }

                public override void LoadStateDict(OptimizerState source)
                {
                    var from = (State)source;
                    Dispose();
                    step = from.step;
                    exp_avg = Take(from.exp_avg);
                    exp_avg_sq = Take(from.exp_avg_sq);
                    max_exp_avg_sq = from.max_exp_avg_sq is null ? null : Take(from.max_exp_avg_sq);
                }

                public override void to(Device device)
                {
                    exp_avg = Moved(exp_avg, device);
                    exp_avg_sq = Moved(exp_avg_sq, device);
                    if (max_exp_avg_sq is not null) max_exp_avg_sq = Moved(max_exp_avg_sq, device);
                }

                public override bool ApproximatelyEquals(OptimizerState other) =>
                    other is State state && step == state.step && exp_avg.allclose(state.exp_avg) && exp_avg_sq.allclose(state.exp_avg_sq);

                public void Dispose()
                {
                    exp_avg.Dispose();
                    exp_avg_sq.Dispose();
                    max_exp_avg_sq?.Dispose();
                }

                private Tensor Take(Tensor moment) => moment.to(_parameter.device, copy: true).DetachFromDisposeScope();

                private static Tensor Moved(Tensor moment, Device device) => moment.to(device, disposeAfter: true).DetachFromDisposeScope();
            }

            public class Options : OptimizerOptions
            {
                public double? beta1;
                public double? beta2;
                public double? weight_decay;
                public double? eps;
                public bool? amsgrad;
                public bool? maximize;

                public override void LoadStateDict(OptimizerOptions source)
                {
                    base.LoadStateDict(source);
                    var from = (Options)source;
                    (beta1, beta2, weight_decay, eps) = (from.beta1, from.beta2, from.weight_decay, from.eps);
                    (amsgrad, maximize) = (from.amsgrad, from.maximize);
                }
            }

            public class ParamGroup : ParamGroup<Options>, IBetas
            {
                public ParamGroup()
                {
                }

                public ParamGroup(IEnumerable<Parameter> parameters, Options options)
                    : base(parameters, options)
                {
                }

                public ParamGroup(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
                    : base(parameters, new Options { LearningRate = lr, beta1 = beta1, beta2 = beta2, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad, maximize = maximize })
                {
                }

                public (double, double) Betas
                {
                    get => (Options.beta1!.Value, Options.beta2!.Value);
                    set => (Options.beta1, Options.beta2) = value;
                }
            }
        }
    }

    public static partial class torch
    {
        public static partial class optim
        {
            public static AdamW AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static AdamW AdamW(IEnumerable<(string name, Parameter parameter)> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters.Select(named => named.parameter), lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static AdamW AdamW(IEnumerable<AdamW.ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
        }
    }
}

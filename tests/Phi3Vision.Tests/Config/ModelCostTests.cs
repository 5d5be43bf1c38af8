using FunctionsPipeline.Phi3Vision.Config;

namespace FunctionsPipeline.Phi3Vision.Tests.Config;

public sealed class ModelCostTests
{
    private static readonly ModelCost Cost = new(Presets.Phi3Vision128K);

    // 32 layers of 3072×9216 + 3072×3072 + 3072×16384 + 8192×3072; 23 CLIP layers of 4·1024² + 2·1024·4096;
    // a projector of 4096×3072 + 3072².
    private const double Decoder = 32.0 * 3072 * (9216 + 3072 + 16384 + 8192), Head = 32064.0 * 3072, Projector = 3072.0 * (4096 + 3072);
    // The last layer without 3072×9216, which is computed for the positions with logits alone.
    private const double Outputs = 3072.0 * (3072 + 16384 + 8192);
    private const double Clip = 23.0 * (2 * 12 * 1024 * 1024 + 4 * 577 * 1024) * 577;

    [Fact]
    public void Full_training_costs_six_operations_for_each_weight_and_token()
    {
        var step = StepSize.Sample(800, 757, 5, 30) + StepSize.Sample(400, 313, 2, 20);
        Assert.Equal(new StepSize(1200, 800_000, 1070, 7, 50), step);
        var expected = 6 * (1200 * Decoder - 1150 * Outputs + 50 * Head + 1070 * Projector) + 3 * 32 * 2 * 800_000.0 * 3072 + 3 * 7 * Clip;
        Assert.Equal(1, Cost.OperationsOfStep(step, new TrainedParts(true, true, true)) / expected, 1e-9);
    }

    [Fact]
    public void Frozen_weights_take_no_gradients_but_let_them_pass()
    {
        var step = StepSize.Sample(800, 757, 5, 30);
        var expected = 4 * (800 * Decoder - 770 * Outputs + 30 * Head) + 3 * 32 * 2 * 640_000.0 * 3072
            + 2 * 757 * Projector + 5 * Clip + 6 * 1000.0 * 800;
        Assert.Equal(1, Cost.OperationsOfStep(step, new TrainedParts(false, false, false, AdapterValues: 1000)) / expected, 1e-9);
        var kept = step with { Views = 0 };
        var frozenTower = new TrainedParts(true, true, false);
        Assert.Equal(5 * Clip, Cost.OperationsOfStep(step, frozenTower) - Cost.OperationsOfStep(kept, frozenTower), Clip * 1e-3);
    }

    [Fact]
    public void A_prompt_costs_a_forward_pass()
    {
        var expected = 2 * (800 * Decoder - 799 * Outputs + Head + 757 * Projector) + 32 * 2 * 640_000.0 * 3072 + 5 * Clip;
        Assert.Equal(1, Cost.OperationsOfPrompt(800, 757, 5) / expected, 1e-9);
    }

    [Fact]
    public void Every_position_of_a_prompt_can_have_logits() =>
        Assert.Equal(
            2 * 799 * (Outputs + Head), Cost.OperationsOfPrompt(800, 757, 5, logits: 800) - Cost.OperationsOfPrompt(800, 757, 5), Head);

    [Fact]
    public void A_token_reads_decoder_head_and_cache_once_in_the_type_of_the_weights()
    {
        var norms = (2 * 32 + 1) * 3072;
        Assert.Equal(2 * (Decoder + Head + norms + 1000.0 * 2 * 32 * 3072), Cost.BytesOfToken(1000));
        Assert.Equal(2 * Cost.BytesOfToken(1000), Cost.BytesOfToken(1000, valueBytes: 4));
    }
}

using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Validates the values of <see cref="TrainingSettings"/>.</summary>
internal static class TrainingRules
{
    private const int LongestTemplate = 4000;

    /// <summary>Adds every mistake to the errors, in the order of the settings.</summary>
    public static void Check(TrainingSettings training, FieldErrors errors)
    {
        errors.Word("training.method", training.Method);
        Check(training.Lora, errors);
        Check("training.visionTower", training.VisionTower, errors);
        Check("training.projector", training.Projector, errors);
        errors.Above("training.epochs", training.Epochs, above: 0, to: 1000);
        errors.AtLeast("training.maxSteps", training.MaxSteps, 1);
        if (training.MaxMinutes is { } minutes) errors.Above("training.maxMinutes", minutes, above: 0, to: 60 * 24 * 30);
        errors.From("training.batchSize", training.BatchSize, 1, 1024);
        errors.AtLeast("training.microBatchSize", training.MicroBatchSize, 1);
        errors.AtLeast("training.maxTokens", training.MaxTokens, 1);
        errors.Above("training.learningRate", training.LearningRate, above: 0, to: 1);
        errors.Word("training.schedule", training.Schedule);
        errors.AtLeast("training.warmupSteps", training.WarmupSteps, 0);
        errors.From("training.weightDecay", training.WeightDecay, 0, 1);
        errors.Above("training.maxGradNorm", training.MaxGradNorm, above: 0, to: 1e6);
        if (training.Precision is { } precision) errors.Word("training.precision", precision);
        errors.From("training.numCrops", training.NumCrops, 1, 16);
        errors.AtLeast("training.seed", training.Seed, 0);
        errors.AtLeast("training.evaluateEvery", training.EvaluateEvery, 1);
        errors.AtLeast("training.evaluationSamples", training.EvaluationSamples, 1);
        errors.From("training.gallerySamples", training.GallerySamples, 0, 1000);
        errors.AtLeast("training.earlyStopping", training.EarlyStopping, 1);
        errors.AtLeast("training.checkpointEvery", training.CheckpointEvery, 1);
        errors.AtLeast("training.keepCheckpoints", training.KeepCheckpoints, 1);
        errors.From("training.maxAnswerTokens", training.MaxAnswerTokens, 1, 1024);
        errors.Text("training.question", training.Question, longest: 1000);
        // A marker of the chat format, such as <|end|>, would end the question or insert a second image.
        if (training.Question.Contains("<|", StringComparison.Ordinal)) errors.Add("training.question", "must not contain '<|'");
        CheckTemplate("training.promptTemplate", training.PromptTemplate, template => _ = new PromptTemplate(template), errors);
        CheckTemplate("training.answerTemplate", training.AnswerTemplate, template => _ = new AnswerTemplate(template), errors);
        if (training.Device is not (null or "cpu" or "cuda")) errors.Add("training.device", "must be cpu or cuda, or be left out");
    }

    private static void Check(LoraSettings lora, FieldErrors errors)
    {
        errors.From("training.lora.rank", lora.Rank, 1, 1024);
        errors.Above("training.lora.alpha", lora.Alpha, above: 0, to: 1e6);
        if (!(lora.Dropout >= 0 && lora.Dropout < 1)) errors.Add("training.lora.dropout", "must be from 0 to below 1");
        if (lora.Targets.Count == 0)
            errors.Add("training.lora.targets", $"must name at least one layer, or be left out for {LoraSettings.AllLinear}");
        for (var i = 0; i < lora.Targets.Count; i++) errors.Text($"training.lora.targets[{i}]", lora.Targets[i]);
    }

    private static void Check(string field, PartSettings part, FieldErrors errors)
    {
        if (part.LearningRate is { } rate) errors.Above($"{field}.learningRate", rate, above: 0, to: 1);
    }

    private static void CheckTemplate(string field, string template, Action<string> parse, FieldErrors errors)
    {
        if (template.Length > LongestTemplate)
        {
            errors.Add(field, $"must have at most {LongestTemplate} characters");
            return;
        }
        try
        {
            parse(template);
        }
        catch (FormatException e)
        {
            errors.Add(field, e.Message);
        }
    }
}

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Outcome of publishing a model, with its reason.</summary>
public sealed record PublishDecision(bool Published, string Reason);

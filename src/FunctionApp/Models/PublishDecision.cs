namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Whether a model serves, and why or why not.</summary>
public sealed record PublishDecision(bool Published, string Reason);

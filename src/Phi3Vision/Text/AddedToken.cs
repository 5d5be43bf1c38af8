namespace FunctionsPipeline.Phi3Vision;

/// <summary>A token that is matched in the raw text before anything else.</summary>
/// <param name="Rstrip">White space after it belongs to it.</param>
/// <param name="Special">It stands for no text.</param>
internal sealed record AddedToken(int Id, string Content, bool Rstrip, bool Special);

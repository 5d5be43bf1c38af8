namespace FunctionsPipeline.Phi3Vision;

/// <summary>A token that is matched in the raw text before any other processing.</summary>
/// <param name="Id">Id of the token.</param>
/// <param name="Content">Text that the token matches.</param>
/// <param name="Rstrip">True when the token swallows the white space that follows.</param>
/// <param name="Special">True when the token stands for no text.</param>
internal sealed record AddedToken(int Id, string Content, bool Rstrip, bool Special);

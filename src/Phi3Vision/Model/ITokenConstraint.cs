namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>Rules that answers keep to, token by token.</summary>
public interface ITokenConstraint
{
    /// <summary>Begins an answer of at most <paramref name="maxTokens"/> tokens.</summary>
    IConstrainedAnswer Begin(int maxTokens);
}

/// <summary>An answer in progress that keeps to a constraint.</summary>
public interface IConstrainedAnswer
{
    /// <summary>Clears the entries of all ids that may come next, at least one; every entry once the answer has ended.</summary>
    /// <param name="forbidden">An entry per id, all true.</param>
    void Allow(Span<bool> forbidden);

    /// <summary>Appends a token that was allowed.</summary>
    void Add(int id);
}

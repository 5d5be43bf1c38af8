using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>Finds the currency of a price.</summary>
internal static class PriceCurrency
{
    // ISO 4217 codes of symbols. Several currencies use $ and ¥, which stand for the most frequent one.
    private static readonly Dictionary<string, string> Codes = new()
    {
        ["$"] = "USD", ["US$"] = "USD", ["A$"] = "AUD", ["AU$"] = "AUD", ["C$"] = "CAD", ["CA$"] = "CAD", ["HK$"] = "HKD", ["€"] = "EUR",
        ["£"] = "GBP", ["¥"] = "JPY", ["₹"] = "INR", ["₩"] = "KRW", ["R$"] = "BRL",
    };

    /// <summary>True for the name of a column that says the currency of prices, such as <c>currency_code</c>.</summary>
    public static bool IsName(string column) => column.Contains("currency", StringComparison.OrdinalIgnoreCase);

    /// <summary>Returns the currency of a row's price by a field of that name, or by its text; null when neither says it.</summary>
    public static string? Of(ManifestRow row) =>
        row.Fields?.FirstOrDefault(field => IsName(field.Key)).Value?.Text is { } text ? Of(text) ?? text : row.Currency;

    /// <summary>Returns the code or symbol of the currency in a text such as <c>$1,290.00</c>, <c>12.50 EUR</c> or <c>usd</c>.</summary>
    public static string? Of(string? text)
    {
        if (text is null) return null;
        var letters = string.Concat(text.Where(char.IsAsciiLetter)).ToUpperInvariant();
        var symbol = string.Concat(text.Where(c => char.GetUnicodeCategory(c) == UnicodeCategory.CurrencySymbol));
        // A code says more than the symbol beside it, as in '$12 CAD'.
        if (letters.Length == 3) return letters;
        return symbol.Length == 0 ? null : Codes.GetValueOrDefault(letters + symbol, letters + symbol);
    }
}

using Microsoft.Data.Sqlite;

namespace FunctionsPipeline.LocalHost;

/// <summary>
/// The SQLite file with the host's durable state. One connection, one transaction at a time: every transaction here is short, and
/// a single writer is what SQLite has anyway. Changes survive the end of the process.
/// </summary>
internal sealed class StateDatabase : IDisposable
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS instances (
            id TEXT PRIMARY KEY, execution TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
            status TEXT NOT NULL, suspended INTEGER NOT NULL DEFAULT 0,
            input TEXT, output TEXT, failure TEXT, custom_status TEXT, tags TEXT,
            created INTEGER NOT NULL, updated INTEGER NOT NULL,
            parent TEXT, parent_execution TEXT, parent_name TEXT, parent_task INTEGER);
        CREATE INDEX IF NOT EXISTS instances_by_parent ON instances (parent);
        CREATE TABLE IF NOT EXISTS history (
            instance TEXT NOT NULL, sequence INTEGER NOT NULL,
            kind TEXT NOT NULL, task INTEGER NOT NULL, name TEXT, data TEXT, at INTEGER NOT NULL,
            PRIMARY KEY (instance, sequence)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL, execution TEXT,
            kind TEXT NOT NULL, task INTEGER NOT NULL, name TEXT, data TEXT, visible_at INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS messages_by_time ON messages (visible_at);
        CREATE INDEX IF NOT EXISTS messages_by_instance ON messages (instance);
        CREATE TABLE IF NOT EXISTS activities (
            id INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL, execution TEXT NOT NULL,
            task INTEGER NOT NULL, name TEXT NOT NULL, input TEXT);
        CREATE INDEX IF NOT EXISTS activities_by_instance ON activities (instance);
        CREATE TABLE IF NOT EXISTS blobs (
            function TEXT NOT NULL, container TEXT NOT NULL, blob TEXT NOT NULL, etag TEXT NOT NULL, state TEXT NOT NULL,
            tries INTEGER NOT NULL, next_try INTEGER NOT NULL, error TEXT, at INTEGER NOT NULL,
            PRIMARY KEY (function, container, blob)) WITHOUT ROWID;
        """;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly FileStream _owner;

    private StateDatabase(SqliteConnection connection, FileStream owner)
    {
        _connection = connection;
        _owner = owner;
    }

    /// <exception cref="InvalidOperationException">Another host has the file, or it is no SQLite database.</exception>
    public static StateDatabase Open(string path)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        FileStream owner;
        try
        {
            owner = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new InvalidOperationException($"{path} is in use by another local host. Stop it, or choose another state database.", e);
        }
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        try
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + Schema;
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            owner.Dispose();
            throw new InvalidOperationException($"{path} cannot be used as the state database: {e.Message}", e);
        }
        return new StateDatabase(connection, owner);
    }

    /// <summary>Runs the statements of <paramref name="body"/> as one transaction, rolled back when it throws.</summary>
    public T Transaction<T>(Func<Statements, T> body)
    {
        lock (_gate)
        {
            using var transaction = _connection.BeginTransaction();
            var result = body(new Statements(_connection, transaction));
            transaction.Commit();
            return result;
        }
    }

    /// <inheritdoc cref="Transaction{T}"/>
    public void Transaction(Action<Statements> body) => Transaction<object?>(statements =>
    {
        body(statements);
        return null;
    });

    public void Dispose()
    {
        lock (_gate)
        {
            _connection.Dispose();
            _owner.Dispose();
        }
    }

    /// <summary>Statements within a transaction; parameters are <c>$0</c>, <c>$1</c>… in their order.</summary>
    internal sealed class Statements(SqliteConnection connection, SqliteTransaction transaction)
    {
        /// <summary>Returns the number of rows that changed.</summary>
        public int Run(string sql, params object?[] arguments)
        {
            using var command = Command(sql, arguments);
            return command.ExecuteNonQuery();
        }

        public List<T> Query<T>(string sql, Func<SqliteDataReader, T> map, params object?[] arguments)
        {
            using var command = Command(sql, arguments);
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read()) rows.Add(map(reader));
            return rows;
        }

        private SqliteCommand Command(string sql, object?[] arguments)
        {
            var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = sql;
            for (var i = 0; i < arguments.Length; i++)
            {
                var value = arguments[i] switch
                {
                    null => DBNull.Value,
                    DateTime time => time.Ticks,
                    Enum word => word.ToString(),
                    var other => other,
                };
                command.Parameters.AddWithValue($"${i}", value);
            }
            return command;
        }
    }
}

/// <summary>Columns that may be null.</summary>
internal static class SqliteDataReaderExtensions
{
    public static string? Text(this SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static DateTime Time(this SqliteDataReader reader, int column) => new(reader.GetInt64(column), DateTimeKind.Utc);
}

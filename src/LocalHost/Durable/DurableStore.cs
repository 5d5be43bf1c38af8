using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.DurableTask.Client;
using static FunctionsPipeline.LocalHost.StateDatabase;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>An activity that was asked for and has not answered.</summary>
internal sealed record ActivityWork(long Id, string Instance, string Execution, int Task, string Name, string? Input);

/// <summary>Orchestrations in SQLite: instances, their histories, messages to them and activities that wait to be run.</summary>
internal sealed class DurableStore(StateDatabase database)
{
    private const string InstanceColumns = "id, execution, name, version, status, suspended, input, output, failure, custom_status, tags, " +
        "created, updated, parent, parent_execution, parent_name, parent_task";

    private const string ActivityColumns = "id, instance, execution, task, name, input";

    /// <summary>Creates the instance unless one with its id has one of the <paramref name="refused"/> statuses; that status then.</summary>
    public OrchestrationRuntimeStatus? Create(Instance instance, IReadOnlyCollection<OrchestrationRuntimeStatus> refused, DateTime startAt) =>
        database.Transaction<OrchestrationRuntimeStatus?>(sql =>
        {
            if (Find(sql, instance.Id)?.VisibleStatus is { } status && refused.Contains(status)) return status;
            Insert(sql, instance, startAt);
            return null;
        });

    public Instance? Find(string id) => database.Transaction(sql => Find(sql, id));

    /// <summary>Instances by creation time, the newest first.</summary>
    public List<Instance> List(string? prefix = null) => database.Transaction(sql =>
        sql.Query($"SELECT {InstanceColumns} FROM instances ORDER BY created DESC, id", ReadInstance))
        .Where(i => prefix is null || i.Id.StartsWith(prefix, StringComparison.Ordinal)).ToList();

    /// <summary>Sends an event to an instance; one that has ended or does not exist gets nothing.</summary>
    public bool Send(string instance, EventKind kind, string? name, string? data, DateTime now) =>
        database.Transaction(sql => Send(sql, instance, kind, name, data, now));

    /// <summary>Stops or lets go the turns of an instance; false when it has ended or does not exist.</summary>
    public bool Suspend(string instance, bool suspended, DateTime now) => database.Transaction(sql =>
    {
        if (Find(sql, instance) is not { IsEnded: false }) return false;
        sql.Run("UPDATE instances SET suspended = $1, updated = $2 WHERE id = $0", instance, suspended ? 1 : 0, now);
        return true;
    });

    /// <summary>Forgets an instance that has ended, and its sub-orchestrations when asked; the number of instances gone.</summary>
    public int Purge(string instance, bool recursive) => database.Transaction(sql => Purge(sql, instance, recursive));

    /// <summary>Instances that have something to do.</summary>
    public List<string> Due(DateTime now) => database.Transaction(sql => sql.Query("""
        SELECT DISTINCT i.id FROM messages m JOIN instances i ON i.id = m.instance
        WHERE m.visible_at <= $0 AND (m.execution IS NULL OR m.execution = i.execution)
          AND (i.suspended = 0 OR m.kind = 'Terminated') AND (i.status <> 'Pending' OR m.kind IN ('ExecutionStarted', 'Terminated'))
        """, r => r.GetString(0), now));

    /// <summary>When the next message that is still to come becomes visible.</summary>
    public DateTime? NextDue(DateTime now) => database.Transaction(sql =>
        sql.Query("SELECT min(visible_at) FROM messages WHERE visible_at > $0", r => r.IsDBNull(0) ? (DateTime?)null : r.Time(0), now)[0]);

    /// <summary>What the instance's next turn takes in; null when there is nothing.</summary>
    public TurnInput? Load(string id, DateTime now) => database.Transaction(sql =>
    {
        if (Find(sql, id) is not { IsEnded: false } instance) return null;
        var messages = sql.Query("""
            SELECT id, kind, task, name, data FROM messages
            WHERE instance = $0 AND visible_at <= $1 AND (execution IS NULL OR execution = $2) ORDER BY kind <> 'ExecutionStarted', visible_at, id
            """, r => new Message(r.GetInt64(0), Kind(r, 1), r.GetInt32(2), r.Text(3), r.Text(4)), id, now, instance.Execution);
        if (messages.Count == 0) return null;
        var history = sql.Query("SELECT kind, task, name, data, at FROM history WHERE instance = $0 ORDER BY sequence",
            r => new HistoryEvent(Kind(r, 0), r.GetInt32(1), r.Text(2), r.Text(3), r.Time(4)), id);
        return new TurnInput(instance, history, messages);
    });

    /// <summary>Makes a turn's result durable, all of it or nothing; the activities that are now to be run.</summary>
    public List<ActivityWork> Commit(TurnInput turn, TurnResult result, DateTime now) => database.Transaction(sql =>
    {
        var instance = turn.Instance;
        if (Find(sql, instance.Id)?.Execution != instance.Execution) return [];
        foreach (var message in turn.Messages) sql.Run("DELETE FROM messages WHERE id = $0", message.Id);
        var sequence = turn.History.Count;
        foreach (var e in result.Events.Concat(result.Requests.Select(r => r.ToEvent(now))))
        {
            sql.Run("INSERT INTO history VALUES ($0, $1, $2, $3, $4, $5, $6)", instance.Id, sequence++, e.Kind, e.Task, e.Name, e.Data, e.At);
        }
        sql.Run("UPDATE instances SET status = 'Running', custom_status = $1, updated = $2 WHERE id = $0", instance.Id, result.CustomStatus, now);
        var work = result.Requests.Select(r => Carry(sql, instance, r, now)).OfType<ActivityWork>().ToList();
        if (result.End is not null) End(sql, instance, result.End, now);
        return work;
    });

    /// <summary>Activities without an answer, such as those that were running when the process ended.</summary>
    public List<ActivityWork> PendingActivities() => database.Transaction(sql =>
        sql.Query($"SELECT {ActivityColumns} FROM activities ORDER BY id", ReadActivity));

    /// <summary>Whether somebody still waits for the activity.</summary>
    public bool IsWanted(ActivityWork work) => database.Transaction(sql =>
        Find(sql, work.Instance) is { IsEnded: false } instance && instance.Execution == work.Execution);

    /// <summary>Records an activity's answer.</summary>
    public void Answer(ActivityWork work, EventKind kind, string? data, DateTime now) => database.Transaction(sql =>
    {
        if (sql.Run("DELETE FROM activities WHERE id = $0", work.Id) == 1)
            Post(sql, work.Instance, work.Execution, kind, work.Task, work.Name, data, now);
    });

    private static ActivityWork? Carry(Statements sql, Instance instance, Request request, DateTime now)
    {
        switch (request)
        {
            case Request.Activity activity:
                return sql.Query($"""
                    INSERT INTO activities (instance, execution, task, name, input) VALUES ($0, $1, $2, $3, $4) RETURNING {ActivityColumns}
                    """, ReadActivity, instance.Id, instance.Execution, activity.Task, activity.Name, activity.Input)[0];
            case Request.Timer timer:
                Post(sql, instance.Id, instance.Execution, EventKind.TimerFired, timer.Task, null, null, timer.FireAt);
                break;
            case Request.SendEvent e:
                Send(sql, e.InstanceId, EventKind.EventRaised, e.Name, e.Payload, now);
                break;
            case Request.SubOrchestration sub:
                StartSub(sql, instance, sub, now);
                break;
        }
        return null;
    }

    private static void StartSub(Statements sql, Instance parent, Request.SubOrchestration request, DateTime now)
    {
        if (Find(sql, request.InstanceId) is { IsEnded: false })
        {
            var failure = Failures.Of(new InvalidOperationException($"An instance with the id {request.InstanceId} is running already."));
            Post(sql, parent.Id, parent.Execution, EventKind.SubOrchestrationFailed, request.Task, request.Name, Failures.Write(failure), now);
            return;
        }
        Insert(sql, new Instance
        {
            Id = request.InstanceId,
            Execution = Instance.NewExecution(),
            Name = request.Name,
            Version = request.Version,
            Input = request.Input,
            Created = now,
            Updated = now,
            Parent = new ParentTask(parent.Id, parent.Execution, parent.Name, request.Task),
        }, now);
    }

    private static void End(Statements sql, Instance instance, TurnEnd end, DateTime now)
    {
        sql.Run("DELETE FROM activities WHERE instance = $0", instance.Id);
        sql.Run("DELETE FROM messages WHERE instance = $0 AND execution IS NOT NULL", instance.Id);
        switch (end)
        {
            case TurnEnd.ContinuedAsNew next:
                var execution = Instance.NewExecution();
                sql.Run("DELETE FROM history WHERE instance = $0", instance.Id);
                sql.Run("UPDATE instances SET execution = $1, input = $2, version = $3 WHERE id = $0",
                    instance.Id, execution, next.Input, next.Version);
                Post(sql, instance.Id, execution, EventKind.ExecutionStarted, -1, instance.Name, next.Input, now);
                foreach (var e in next.Unprocessed) Post(sql, instance.Id, null, EventKind.EventRaised, -1, e.Name, e.Data, now);
                return;
            case TurnEnd.Completed completed:
                Finish(sql, instance, OrchestrationRuntimeStatus.Completed, completed.Output, null, now);
                Answer(sql, instance, EventKind.SubOrchestrationCompleted, completed.Output, now);
                return;
            case TurnEnd.Failed failed:
                var failure = Failures.Write(failed.Failure);
                Finish(sql, instance, OrchestrationRuntimeStatus.Failed, null, failure, now);
                Answer(sql, instance, EventKind.SubOrchestrationFailed, failure, now);
                return;
            case TurnEnd.Terminated terminated:
                var reason = Failures.Of(new InvalidOperationException($"{instance.Name} {instance.Id} was terminated."));
                Finish(sql, instance, OrchestrationRuntimeStatus.Terminated, terminated.Output, null, now);
                Answer(sql, instance, EventKind.SubOrchestrationFailed, Failures.Write(reason), now);
                if (!terminated.Recursive) return;
                foreach (var child in sql.Query("SELECT id FROM instances WHERE parent = $0", r => r.GetString(0), instance.Id))
                    Send(sql, child, EventKind.Terminated, "recursive", terminated.Output, now);
                return;
        }
    }

    private static void Finish(Statements sql, Instance instance, OrchestrationRuntimeStatus status, string? output, string? failure, DateTime now)
    {
        sql.Run("DELETE FROM messages WHERE instance = $0", instance.Id);
        sql.Run("UPDATE instances SET status = $1, output = $2, failure = $3, updated = $4 WHERE id = $0", instance.Id, status, output, failure, now);
    }

    /// <summary>Tells the parent, if there is one.</summary>
    private static void Answer(Statements sql, Instance instance, EventKind kind, string? data, DateTime now)
    {
        if (instance.Parent is { } parent) Post(sql, parent.Instance, parent.Execution, kind, parent.Task, instance.Name, data, now);
    }

    private static bool Send(Statements sql, string instance, EventKind kind, string? name, string? data, DateTime now)
    {
        if (Find(sql, instance) is not { IsEnded: false }) return false;
        Post(sql, instance, null, kind, -1, name, data, now);
        return true;
    }

    /// <summary>Adds a message, unless the execution that it is for has ended.</summary>
    private static void Post(Statements sql, string instance, string? execution, EventKind kind, int task, string? name, string? data,
        DateTime visibleAt) =>
        sql.Run("""
            INSERT INTO messages (instance, execution, kind, task, name, data, visible_at) SELECT $0, $1, $2, $3, $4, $5, $6
            WHERE EXISTS (SELECT 1 FROM instances WHERE id = $0 AND (execution = $1 OR $1 IS NULL) AND status IN ('Pending', 'Running'))
            """, instance, execution, kind, task, name, data, visibleAt);

    private static void Insert(Statements sql, Instance instance, DateTime startAt)
    {
        Delete(sql, instance.Id);
        var parent = instance.Parent;
        sql.Run($"INSERT INTO instances ({InstanceColumns}) VALUES ($0, $1, $2, $3, $4, 0, $5, NULL, NULL, NULL, $6, $7, $8, $9, $10, $11, $12)",
            instance.Id, instance.Execution, instance.Name, instance.Version, instance.Status, instance.Input,
            JsonSerializer.Serialize(instance.Tags), instance.Created, instance.Updated,
            parent?.Instance, parent?.Execution, parent?.Name, parent?.Task);
        Post(sql, instance.Id, instance.Execution, EventKind.ExecutionStarted, -1, instance.Name, instance.Input, startAt);
    }

    private static int Purge(Statements sql, string instance, bool recursive)
    {
        if (Find(sql, instance) is not { IsEnded: true }) return 0;
        var children = recursive ? sql.Query("SELECT id FROM instances WHERE parent = $0", r => r.GetString(0), instance) : [];
        Delete(sql, instance);
        return 1 + children.Sum(child => Purge(sql, child, recursive));
    }

    private static void Delete(Statements sql, string instance)
    {
        foreach (var table in (string[])["history", "messages", "activities"]) sql.Run($"DELETE FROM {table} WHERE instance = $0", instance);
        sql.Run("DELETE FROM instances WHERE id = $0", instance);
    }

    private static Instance? Find(Statements sql, string id) =>
        sql.Query($"SELECT {InstanceColumns} FROM instances WHERE id = $0", ReadInstance, id).SingleOrDefault();

    private static ActivityWork ReadActivity(SqliteDataReader r) =>
        new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt32(3), r.GetString(4), r.Text(5));

    private static Instance ReadInstance(SqliteDataReader r) => new()
    {
        Id = r.GetString(0),
        Execution = r.GetString(1),
        Name = r.GetString(2),
        Version = r.GetString(3),
        Status = Enum.Parse<OrchestrationRuntimeStatus>(r.GetString(4)),
        Suspended = r.GetBoolean(5),
        Input = r.Text(6),
        Output = r.Text(7),
        Failure = r.Text(8) is { } failure ? Failures.Read(failure) : null,
        CustomStatus = r.Text(9),
        Tags = JsonSerializer.Deserialize<Dictionary<string, string>>(r.GetString(10))!,
        Created = r.Time(11),
        Updated = r.Time(12),
        Parent = r.Text(13) is { } parent ? new ParentTask(parent, r.GetString(14), r.GetString(15), r.GetInt32(16)) : null,
    };

    private static EventKind Kind(SqliteDataReader r, int column) => Enum.Parse<EventKind>(r.GetString(column));
}

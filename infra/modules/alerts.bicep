@description('Region of the rules.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Ends the names of the resources.')
param token string

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Id of the system topic whose dead letters are watched.')
param topicId string

@description('Mail address that alerts go to; empty for none.')
param email string

@description('Hours of GPU time a day from which on an alert is sent.')
@minValue(1)
param gpuHours int

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = { name: workspaceName }

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'pipeline'
    emailReceivers: empty(email) ? [] : [{ name: 'mail', emailAddress: email, useCommonAlertSchema: true }]
  }
}

var rules = [
  {
    name: 'failed-runs'
    title: 'A run failed'
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    threshold: 0
    query: 'AppMetrics | where Name == "pipeline.failures" and tostring(Properties.name) == "FineTune"'
    measure: 'Sum'
  }
  {
    name: 'failed-predictions'
    title: 'Images could not be read'
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    threshold: 0
    query: 'AppMetrics | where Name == "pipeline.predictions" and tostring(Properties.status) == "failed"'
    measure: 'Sum'
  }
  {
    name: 'gpu-hours'
    title: 'More GPU time than expected in a day'
    severity: 3
    every: 'PT1H'
    window: 'P1D'
    threshold: gpuHours
    query: 'AppMetrics | where Name == "pipeline.worker.time" | extend Hours = Sum / 3600'
    measure: 'Hours'
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [for rule in rules: {
  name: 'alert-${rule.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    severity: rule.severity
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: rule.every
    windowSize: rule.window
    autoMitigate: true
    // The table is there once the first metric has arrived.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.measure
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: rule.threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [people.id] }
  }
}]

resource deadLetters 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'alert-dead-letters-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Events of uploads could not be delivered'
    severity: 2
    enabled: true
    scopes: [topicId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'dead-letters'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          metricName: 'DeadLetteredCount'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'pipeline')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Functions pipeline'
    category: 'workbook'
    sourceId: workspace.id
    version: 'Notebook/1.0'
    serializedData: loadTextContent('workbook.json')
  }
}

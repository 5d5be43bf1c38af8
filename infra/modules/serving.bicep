import { workerSize } from 'types.bicep'

@description('Region of the app.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the app.')
@maxLength(32)
param name string

@description('Image of the GPU worker.')
param image string

@description('The image is the worker, no placeholder.')
param hasWorker bool

@description('Host name of the registry.')
param registryServer string

@description('Name of the Container Apps environment.')
param environmentName string

@description('Name of the identity of the app.')
param identityName string

@description('URI of the secret with the key that callers give.')
param workerKeyUri string

@description('Name of the storage account of the pipeline.')
param dataAccountName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Size of the GPU profile.')
param size workerSize

@description('Largest number of replicas, each with a GPU.')
@minValue(1)
param maxReplicas int

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = { name: environmentName }
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: identityName }
resource data 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: dataAccountName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }

var port = 8080
var alive = { path: '/livez', port: port }
// Not /readyz, which fails while there is no model: before the first run a revision would never become ready. Without a model the
// worker answers 503 itself, with the time to come back.
var probes = [
  { type: 'Startup', httpGet: alive, periodSeconds: 10, failureThreshold: 10 }
  { type: 'Liveness', httpGet: alive, periodSeconds: 30, failureThreshold: 5, timeoutSeconds: 10 }
  { type: 'Readiness', httpGet: alive, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 10 }
]

resource app 'Microsoft.App/containerApps@2026-07-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'serve' })
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'serving'
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: { external: true, targetPort: port, transport: 'http', allowInsecure: false }
      registries: [{ server: registryServer, identity: identity.id }]
      identitySettings: [{ identity: identity.id, lifecycle: 'Main' }]
      secrets: [{ name: 'worker-key', keyVaultUrl: workerKeyUri, identity: identity.id }]
    }
    template: {
      containers: [
        {
          name: 'worker'
          image: image
          args: ['serve', '--host', '0.0.0.0', '--port', string(port), '--precision', size.precision]
          env: [
            { name: 'PipelineStorage__blobServiceUri', value: data.properties.primaryEndpoints.blob }
            { name: 'PipelineStorage__credential', value: 'managedidentity' }
            { name: 'PipelineStorage__clientId', value: identity.properties.clientId }
            { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
            {
              name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
              value: 'ClientId=${identity.properties.clientId};Authorization=AAD'
            }
            { name: 'Worker__Key', secretRef: 'worker-key' }
          ]
          resources: { cpu: size.cpu, memory: size.memory }
          // The placeholder has no such pages; the platform then tries whether the port is open.
          probes: hasWorker ? probes : []
        }
      ]
      scale: {
        minReplicas: 0
        maxReplicas: maxReplicas
        // Uploads that wait for a model ask every five minutes at the latest: a replica outlives the pause.
        cooldownPeriod: 600
        rules: [{ name: 'requests', http: { metadata: { concurrentRequests: '16' } } }]
      }
      // The worker takes up to 30 seconds to answer what it has taken in.
      terminationGracePeriodSeconds: 40
    }
  }
}

import { workerSize } from 'types.bicep'

@description('Region of the job.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the job.')
@maxLength(32)
param name string

@description('Image of the GPU worker.')
param image string

@description('Host name of the registry.')
param registryServer string

@description('Name of the Container Apps environment.')
param environmentName string

@description('Name of the identity of the job.')
param identityName string

@description('Name of the identity of the Functions app, which starts the job.')
param appIdentityName string

@description('Name of the storage account of the pipeline.')
param dataAccountName string

@description('Name of the Application Insights component.')
param insightsName string

@description('There is a key of Weights & Biases.')
param hasWandbKey bool

@description('URI of the secret with the key of Weights & Biases.')
param wandbKeyUri string

@description('Further environment variables of the worker.')
param variables { *: string }

@description('Size of the GPU profile.')
param size workerSize

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = { name: environmentName }
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: identityName }
resource data 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: dataAccountName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }
resource appIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: appIdentityName }

resource job 'Microsoft.App/jobs@2026-07-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'train' })
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'training'
    configuration: {
      triggerType: 'Manual'
      manualTriggerConfig: { parallelism: 1, replicaCompletionCount: 1 }
      // The orchestration restarts a lost job, from its checkpoint; a week is longer than any run.
      replicaRetryLimit: 0
      replicaTimeout: 604800
      registries: [{ server: registryServer, identity: identity.id }]
      identitySettings: [{ identity: identity.id, lifecycle: 'Main' }]
      secrets: hasWandbKey ? [{ name: 'wandb-api-key', keyVaultUrl: wandbKeyUri, identity: identity.id }] : []
    }
    template: {
      containers: [
        {
          name: 'worker'
          image: image
          // Every start gives arguments of its own: without any, nothing is trained.
          args: ['train', '--help']
          env: [
            { name: 'PipelineStorage__blobServiceUri', value: data.properties.primaryEndpoints.blob }
            { name: 'PipelineStorage__credential', value: 'managedidentity' }
            { name: 'PipelineStorage__clientId', value: identity.properties.clientId }
            { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
            {
              name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
              value: 'ClientId=${identity.properties.clientId};Authorization=AAD'
            }
            ...(hasWandbKey ? [{ name: 'WANDB_API_KEY', secretRef: 'wandb-api-key' }] : [])
            ...map(items(variables), variable => { name: variable.key, value: variable.value })
          ]
          resources: { cpu: size.cpu, memory: size.memory }
        }
      ]
    }
  }
}

// Whoever may start the job may start any image with its identity, so that the job has no secrets but those that the app may read anyway.
resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: job
  name: guid(job.id, appIdentity.id, 'b9a307c4-5aa3-4b52-ba60-2b17c136cd7b')
  properties: {
    principalId: appIdentity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions', 'b9a307c4-5aa3-4b52-ba60-2b17c136cd7b')
  }
}

@description('Region of the app.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the app.')
param name string

@description('Name of the plan.')
param planName string

@description('Name of the identity of the app.')
param identityName string

@description('Name of the storage account of the Functions host.')
param stateAccountName string

@description('Name of the container of the deployed code.')
param deploymentContainer string

@description('Name of the storage account of the pipeline.')
param dataAccountName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Id of the training job.')
param jobId string

@description('URL of the serving worker.')
param workerUrl string

@description('URI of the secret with the key of the serving worker.')
param workerKeyUri string

@description('Name of the Durable Task Scheduler; null for Azure Storage.')
param schedulerName string?

@description('Application that people sign in to; empty for none.')
param authClientId string

@description('Subnet for what the app asks for; null for none.')
param subnet string?

@description('Largest number of instances of the app.')
param instances int

@description('Further settings of the app.')
param settings { *: string }

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: identityName }
resource stateAccount 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: stateAccountName }
resource dataAccount 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: dataAccountName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' existing = if (schedulerName != null) { name: schedulerName! }

var clientId = identity.properties.clientId
// Clients of Azure Active Directory that authenticate by an identity have no secret: this setting names the identity in its place.
var assertionSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
var durable = 'AzureFunctionsJobHost__extensions__durableTask__storageProvider'

var always = {
  // With the other settings of this connection, accountName spares the host a race at its start.
  AzureWebJobsStorage__accountName: stateAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  AzureWebJobsStorage__blobServiceUri: stateAccount.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: stateAccount.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: stateAccount.properties.primaryEndpoints.table
  PipelineStorage__credential: 'managedidentity'
  PipelineStorage__clientId: clientId
  PipelineStorage__blobServiceUri: dataAccount.properties.primaryEndpoints.blob
  PipelineStorage__queueServiceUri: dataAccount.properties.primaryEndpoints.queue
  AZURE_CLIENT_ID: clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  GpuJobs__JobId: jobId
  // An ingestion has as many units in progress as all instances can work on.
  Ingestion__Instances: string(instances)
  Worker__Url: workerUrl
  Worker__Key: '@Microsoft.KeyVault(SecretUri=${workerKeyUri})'
}
var ofStorage = { '${durable}__maxQueuePollingInterval': '00:00:10' }
var ofScheduler = {
  '${durable}__type': 'azureManaged'
  '${durable}__connectionStringName': 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${scheduler!.properties.endpoint};Authentication=ManagedIdentity;ClientID=${clientId}'
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'functions' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: subnet
    outboundVnetRouting: subnet == null ? null : { allTraffic: true }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${stateAccount.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      runtime: { name: 'dotnet-isolated', version: '10.0' }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: instances
        // Orchestrations that wait for a GPU job or a worker are polled without a cold start.
        alwaysReady: [{ name: 'durable', instanceCount: 1 }]
      }
    }
    siteConfig: { minTlsVersion: '1.2' }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(
      always,
      schedulerName == null ? ofStorage : ofScheduler,
      empty(authClientId) ? {} : { '${assertionSetting}': clientId },
      settings)
  }

  resource ftpPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource deploymentPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource signIn 'config' = if (!empty(authClientId)) {
    name: 'authsettingsV2'
    properties: {
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'RedirectToLoginPage'
        redirectToProvider: 'azureActiveDirectory'
        // Event Grid, the Hub and probes cannot sign in; the first asks for its key, the second for its secret. The dashboard asks for
        // no key, but for people: their browsers sign in.
        excludedPaths: ['/runtime/webhooks/blobs', '/api/hooks/huggingface', '/api/health']
      }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: authClientId
            clientSecretSettingName: assertionSetting
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
          validation: {
            allowedAudiences: [authClientId, 'api://${authClientId}']
          }
        }
      }
      login: { tokenStore: { enabled: false } }
    }
    dependsOn: [appSettings]
  }
}

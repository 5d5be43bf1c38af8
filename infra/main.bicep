targetScope = 'subscription'

@description('Name of the azd environment, which names the resources.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of all resources; those with serverless A100 GPUs.')
@allowed([
  'australiaeast'
  'brazilsouth'
  'canadacentral'
  'eastus'
  'italynorth'
  'swedencentral'
  'uksouth'
  'westus'
  'westus3'
])
@metadata({ azd: { type: 'location' } })
param location string

@description('Key that the serving worker asks for.')
@secure()
@minLength(32)
param workerKey string

@description('The training job is there already: its image is kept.')
param trainExists bool

@description('The serving app is there already: its image is kept.')
param serveExists bool

@description('GPU that serves predictions.')
param servingProfile 'Consumption-GPU-NC8as-T4' | 'Consumption-GPU-NC24-A100'

@description('Largest number of serving replicas, each with a GPU.')
@minValue(1)
param servingReplicas int

@description('Mail address for alerts and the budget; empty for none.')
param alertEmail string

@description('Hours of GPU time a day from which on an alert is sent.')
@minValue(1)
param alertGpuHours int

@description('Budget a month, in the currency of the subscription; 0 for none.')
@minValue(0)
param monthlyBudget int

@description('First day of the month from which the budget counts.')
param budgetStart string = utcNow('yyyy-MM-01')

@description('Puts storage, vault and workers into a virtual network.')
param isPrivate bool

@description('Application that people sign in to; empty for function keys alone.')
param authClientId string

@description('Keeps the state of orchestrations in a Durable Task Scheduler instead of Azure Storage.')
param useScheduler bool

@description('Object id of a person who may read and write the data; empty for none.')
param developerPrincipalId string

@description('Largest number of instances of the Functions app.')
@minValue(40)
@maxValue(1000)
param appInstances int

@description('Further settings of the Functions app.')
param appSettings { *: string }

@description('Key of Weights & Biases, which runs are tracked on; empty for none.')
@secure()
param wandbApiKey string

// Apart from the key: what depends on a secure value is not told before it is deployed, in no snapshot.
@description('There is a key of Weights & Biases.')
param hasWandbKey bool

@description('Further environment variables of the training job.')
param trainVariables { *: string }

var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName }
var trainingProfile = 'Consumption-GPU-NC24-A100'
var sizes = {
  'Consumption-GPU-NC24-A100': { cpu: 24, memory: '220Gi', precision: 'bfloat16' }
  // A T4 has no bf16.
  'Consumption-GPU-NC8as-T4': { cpu: 8, memory: '56Gi', precision: 'float16' }
}
var names = {
  appIdentity: 'id-app-${token}'
  trainIdentity: 'id-train-${token}'
  serveIdentity: 'id-serve-${token}'
  stateAccount: 'ststate${token}'
  dataAccount: 'stdata${token}'
  vault: 'kv-${token}'
  registry: 'cr${token}'
  workspace: 'log-${token}'
  insights: 'appi-${token}'
  network: 'vnet-${token}'
  environment: 'cae-${token}'
  job: 'caj-train-${token}'
  worker: 'ca-serve-${token}'
  plan: 'plan-${token}'
  app: 'func-${token}'
  topic: 'evgt-${token}'
  scheduler: 'dts-${token}'
  // As host.json has it.
  taskHub: 'FunctionsPipeline'
}
var containers = ['datasets', 'runs', 'models', 'product-images', 'predictions', 'corrections']
var deadLetters = 'dead-letters'
var deploymentContainer = 'deployment'
var subnets = '${resourceId(subscription().subscriptionId, group.name, 'Microsoft.Network/virtualNetworks', names.network)}/subnets'
var secretsUri = 'https://${names.vault}${environment().suffixes.keyvaultDns}/secrets'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: { location: location, tags: tags, names: [names.appIdentity, names.trainIdentity, names.serveIdentity] }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { location: location, tags: tags, workspaceName: names.workspace, insightsName: names.insights }
}

// The host's keys, queues and histories, apart from the data: nobody but the app has a role here.
module stateStorage 'modules/storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.stateAccount
    containers: [deploymentContainer]
    isPrivate: isPrivate
  }
}

module dataStorage 'modules/storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.dataAccount
    containers: [...containers, deadLetters]
    restoreDays: 7
    isPrivate: isPrivate
    lifecycle: [
      {
        // Results stay: a model can be rolled back to as long as its run is known.
        name: 'cool-runs'
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob'], prefixMatch: ['runs/'] }
          actions: { baseBlob: { tierToCool: { daysAfterModificationGreaterThan: 30 } } }
        }
      }
      {
        // Heartbeats are overwritten all the time.
        name: 'forget-versions-of-runs'
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['runs/'] }
          actions: { version: { delete: { daysAfterCreationGreaterThan: 1 } } }
        }
      }
      {
        name: 'forget-versions'
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob', 'appendBlob'] }
          actions: { version: { delete: { daysAfterCreationGreaterThan: 30 } } }
        }
      }
      {
        name: 'forget-dead-letters'
        type: 'Lifecycle'
        definition: {
          filters: { blobTypes: ['blockBlob'], prefixMatch: ['${deadLetters}/'] }
          actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 30 } } }
        }
      }
    ]
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.vault
    workerKey: workerKey
    wandbApiKey: wandbApiKey
    hasWandbKey: hasWandbKey
    isPrivate: isPrivate
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: { location: location, tags: tags, name: names.registry }
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    appIdentity: names.appIdentity
    trainIdentity: names.trainIdentity
    serveIdentity: names.serveIdentity
    stateAccountName: names.stateAccount
    dataAccountName: names.dataAccount
    vaultName: names.vault
    hasWandbKey: hasWandbKey
    registryName: names.registry
    insightsName: names.insights
    developerPrincipalId: developerPrincipalId
  }
  dependsOn: [identities, monitoring, stateStorage, dataStorage, vault, registry]
}

module network 'modules/network.bicep' = if (isPrivate) {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.network
    stateAccountName: names.stateAccount
    dataAccountName: names.dataAccount
    vaultName: names.vault
  }
  dependsOn: [stateStorage, dataStorage, vault]
}

module containerApps 'modules/environment.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.environment
    workspaceName: names.workspace
    trainingProfile: trainingProfile
    servingProfile: servingProfile
    subnet: isPrivate ? '${subnets}/containers' : null
  }
  dependsOn: [monitoring, network]
}

module containerAppsDns 'modules/environment-dns.bicep' = if (isPrivate) {
  scope: group
  params: {
    tags: tags
    #disable-next-line what-if-short-circuiting // Azure chooses the domain.
    domain: containerApps.outputs.domain
    address: containerApps.outputs.address
    networkName: names.network
  }
}

module trainImage 'modules/image.bicep' = {
  scope: group
  params: { kind: 'job', name: names.job, exists: trainExists }
}

module serveImage 'modules/image.bicep' = {
  scope: group
  params: { kind: 'app', name: names.worker, exists: serveExists }
}

module training 'modules/training.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.job
    image: trainImage.outputs.image
    registryServer: registry.outputs.loginServer
    environmentName: names.environment
    identityName: names.trainIdentity
    appIdentityName: names.appIdentity
    dataAccountName: names.dataAccount
    insightsName: names.insights
    hasWandbKey: hasWandbKey
    wandbKeyUri: '${secretsUri}/wandb-api-key'
    variables: trainVariables
    size: sizes[trainingProfile]
  }
  dependsOn: [containerApps, roles]
}

module serving 'modules/serving.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.worker
    image: serveImage.outputs.image
    hasWorker: serveExists
    registryServer: registry.outputs.loginServer
    environmentName: names.environment
    identityName: names.serveIdentity
    dataAccountName: names.dataAccount
    insightsName: names.insights
    workerKeyUri: '${secretsUri}/worker-key'
    size: sizes[servingProfile]
    maxReplicas: servingReplicas
  }
  dependsOn: [containerApps, roles]
}

module scheduler 'modules/scheduler.bicep' = if (useScheduler) {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.scheduler
    taskHubName: names.taskHub
    appIdentityName: names.appIdentity
  }
  dependsOn: [identities]
}

module functions 'modules/functions.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.app
    planName: names.plan
    identityName: names.appIdentity
    stateAccountName: names.stateAccount
    deploymentContainer: deploymentContainer
    dataAccountName: names.dataAccount
    insightsName: names.insights
    jobId: resourceId(subscription().subscriptionId, group.name, 'Microsoft.App/jobs', names.job)
    workerUrl: 'https://${names.worker}.${containerApps.outputs.domain}'
    workerKeyUri: '${secretsUri}/worker-key'
    schedulerName: useScheduler ? names.scheduler : null
    authClientId: authClientId
    subnet: isPrivate ? '${subnets}/functions' : null
    instances: appInstances
    settings: appSettings
  }
  dependsOn: [roles, scheduler, network]
}

module events 'modules/events.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: names.topic
    dataAccountName: names.dataAccount
    deadLetterContainer: deadLetters
  }
  dependsOn: [dataStorage]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    workspaceName: names.workspace
    topicId: events.outputs.topicId
    email: alertEmail
    gpuHours: alertGpuHours
  }
  dependsOn: [monitoring]
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  scope: group
  params: { amount: max(monthlyBudget, 1), start: budgetStart, email: alertEmail }
}

@description('Region of all resources.')
output AZURE_LOCATION string = location

@description('Tenant of the identities.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Host name of the registry.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer

@description('Name of the Functions app.')
output AZURE_FUNCTION_APP_NAME string = names.app

@description('Name of the training job.')
output SERVICE_TRAIN_NAME string = names.job

@description('Name of the serving app.')
output SERVICE_SERVE_NAME string = names.worker

@description('Name of the storage account of the pipeline.')
output AZURE_STORAGE_ACCOUNT_NAME string = names.dataAccount

@description('Name of the system topic of uploads.')
output AZURE_EVENT_TOPIC_NAME string = names.topic

@description('Name of the vault.')
output AZURE_KEY_VAULT_NAME string = names.vault

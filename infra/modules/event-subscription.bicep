// Deployed by a hook after the code: the key below exists once the host has started with the function.

@description('Name of the system topic.')
param topicName string

@description('Name of the Functions app.')
param functionAppName string

@description('Name of the storage account of the pipeline.')
param storageAccountName string

resource app 'Microsoft.Web/sites@2025-03-01' existing = { name: functionAppName }
resource account 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: storageAccountName }
resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = { name: topicName }

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'uploaded-image'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: '${url}?functionName=Host.Functions.UploadedImage&code=${key}'
        maxEventsPerBatch: 1
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      // The slash at the end keeps out containers whose names only begin so.
      subjectBeginsWith: '/blobServices/default/containers/product-images/'
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { resourceId: account.id, blobContainerName: 'dead-letters' }
      }
    }
  }
}

var url = 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs'
var key = listKeys('${app.id}/host/default', '2025-03-01').systemKeys.blobs_extension

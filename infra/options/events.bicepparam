using '../modules/event-subscription.bicep'

param topicName = 'evgt-example'
param functionAppName = 'func-example'
param storageAccountName = 'stdataexample'

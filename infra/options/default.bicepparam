using '../main.bicep'

param environmentName = 'example'
param location = 'swedencentral'
param workerKey = 'a-key-of-at-least-thirty-two-letters'
param trainExists = true
param serveExists = true
param servingProfile = 'Consumption-GPU-NC8as-T4'
param servingReplicas = 1
param alertEmail = 'people@example.com'
param alertGpuHours = 24
param monthlyBudget = 500
param budgetStart = '2026-12-01'
param isPrivate = false
param authClientId = ''
param useScheduler = false
param developerPrincipalId = ''
param appInstances = 40
param appSettings = {}
param wandbApiKey = ''
param hasWandbKey = false
param trainVariables = {}

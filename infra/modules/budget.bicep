@description('Amount a month, in the currency of the subscription.')
@minValue(1)
param amount int

@description('First day of the month from which the budget counts.')
param start string

@description('Mail address that is told besides the owners of the resource group; empty for none.')
param email string

var mails = empty(email) ? [] : [email]

resource budget 'Microsoft.Consumption/budgets@2026-06-01' = {
  name: 'monthly'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: start }
    notifications: {
      forecast: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: mails
        contactRoles: ['Owner']
      }
      spent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: mails
        contactRoles: ['Owner']
      }
    }
  }
}

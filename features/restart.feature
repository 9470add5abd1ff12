@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling when KTRDR is restarted
  Services are restarted: by a crash, by an update. What was running then must not be called running for ever:
  it has ended and says so, or whoever started it can cancel it, and the next one runs.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @disturbs_others @allure.story:Restarting
  Scenario: A backtest whose worker is restarted ends, or can still be cancelled
    Given a worker of KTRDR's can be restarted from here
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When its worker is restarted
    Then what was restarted is back within 60 seconds
    And KTRDR still has the record of the backtest, or has it again within 10 seconds
    And the backtest has ended within 3 seconds, or else ends when it is cancelled
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the interrupted backtest stays ended, and is not called completed

  @normal @disturbs_others @allure.story:Restarting
  Scenario: A backtest that runs while KTRDR's backend is restarted ends, or can still be cancelled
    Given KTRDR's backend can be restarted from here
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When KTRDR's backend is restarted
    Then what was restarted is back within 60 seconds
    And KTRDR still has the record of the backtest, or has it again within 10 seconds
    And the backtest has ended within 3 seconds, or else ends when it is cancelled
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the interrupted backtest stays ended, and is not called completed

  @normal @disturbs_others @allure.story:Restarting
  Scenario: A cancellation in which the worker is restarted leaves nothing that runs for ever
    Given a worker of KTRDR's can be restarted from here
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When its worker is restarted while the backtest is being cancelled
    Then what was restarted is back within 60 seconds
    And KTRDR still has the record of the backtest, or has it again within 10 seconds
    And the backtest has ended within 3 seconds, or else ends when it is cancelled
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the interrupted backtest stays ended, and is not called completed

  @normal @disturbs_others @allure.story:Restarting
  Scenario: A cancellation in which KTRDR's backend is restarted leaves nothing that runs for ever
    Given KTRDR's backend can be restarted from here
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When KTRDR's backend is restarted while the backtest is being cancelled
    Then what was restarted is back within 60 seconds
    And KTRDR still has the record of the backtest, or has it again within 10 seconds
    And the backtest has ended within 3 seconds, or else ends when it is cancelled
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the interrupted backtest stays ended, and is not called completed

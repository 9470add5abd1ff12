@allure.epic:Backtesting @allure.suite:Backtest
Feature: Following a backtest and its cancellation in every view
  One trader looks at the backtest itself, another at the list of what is active, a third at page two.
  From its start to its cancellation and after it, all of them must see the same.

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

  @normal @allure.story:Cancelling
  Scenario: The record, the list, its filters, its pages and the worker say the same all along
    Given the list has backtests enough for several pages
    When every view of the backtests is watched from now on
    And a long backtest is started
    Then the backtest is running within 10 seconds
    And its progress is above 0 % and moving within 30 seconds
    When it runs on for 3 seconds while every view is read
    And the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    And the progress of the cancelled backtest stays frozen for 2 seconds, and for 3 of its usual updates
    And the list and its filters have shown it at all times as its own record does
    And no backtest was listed under a filter that it does not match
    And the pages of the list neither lost nor doubled a backtest
    And the list counted as many backtests as there were, and as many active ones
    And its worker's own record agreed with it while it ran
